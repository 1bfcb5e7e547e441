//! The file: either the old one or the new one is there, whole.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::LoadError;
use crate::{clock::Moment, counters::Counters};

impl Counters {
    /// Replaces a file by what [`save`](Self::save) writes, as [`replace_file`] does.
    pub fn save_file(&self, now: Moment, path: &Path) -> io::Result<u64> {
        replace_file(path, |file| self.save(now, BufWriter::new(file)))
    }

    /// What [`save_file`](Self::save_file) has written; fresh counters when there is no such file.
    pub fn load_file(now: Moment, max_keys: usize, path: &Path) -> Result<Self, LoadError> {
        match File::open(path) {
            Ok(file) => Self::load(now, max_keys, BufReader::new(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::new(now, max_keys)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Replaces a file by what `write` writes, readable for its owner only, or leaves it as it is. It is written beside, with `.new` behind its
/// name, and is on the disk before it takes the old one's place. One call at a time.
///
/// # Errors
/// What keeps the file from being written.
pub fn replace_file<T>(path: &Path, write: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    let beside = beside(path);
    // What a crash has left, with whatever rights it has.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = write(&file)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(written)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}
