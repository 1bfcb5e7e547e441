//! Where definitions come from: a folder, loose files, or memory.
//!
//! A project's files cannot reach outside its folder, neither by `..` nor by a link; a loose file may refer to its
//! neighbours, since nothing is built from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads input files by name. Names use `/` and are relative to the project.
pub trait Files {
    /// The bytes of a file; of one that is longer than `limit`, one byte more than that.
    ///
    /// # Errors
    /// Why it cannot be read; `NotFound` when there is no such file.
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>>;

    /// Whether a reference may not climb out of the place where the names begin.
    fn confined(&self) -> bool {
        true
    }
}

/// Files in memory, for tests and embedders.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str, _limit: usize) -> io::Result<Vec<u8>> {
        self.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The files of a project folder.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// # Errors
    /// When the folder cannot be found.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }
}

impl Files for Folder {
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        let path = self.root.join(name).canonicalize()?;
        if !path.starts_with(&self.root) {
            return Err(io::Error::other("it lies outside the project folder"));
        }
        read_bounded(&path, limit)
    }
}

/// Files named on the command line, and their neighbours.
#[derive(Debug)]
pub struct Loose;

impl Files for Loose {
    fn read(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        read_bounded(Path::new(name), limit)
    }

    fn confined(&self) -> bool {
        false
    }
}

fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for a writer, so the kind of file is asked first.
    let metadata = path.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    // One byte more than allowed lets the parser see, and say, that it is too long.
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A sentence without a full stop, the same on every system.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
