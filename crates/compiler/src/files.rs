//! Where definitions come from: a folder, loose files, or memory.
//!
//! A project's files cannot reach outside its folder, neither by `..` nor by a link; a loose file may refer to its
//! neighbours, since nothing is built from it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads input files by name. Names use `/` and are relative to the project.
pub trait Files {
    /// The bytes of a file, at most `limit` of them.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence without a full stop.
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, String>;

    /// Whether a reference may not climb out of the place where the names begin.
    fn confined(&self) -> bool {
        true
    }
}

/// Files in memory, for tests and embedders.
impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, name: &str, _limit: usize) -> Result<Vec<u8>, String> {
        self.get(name).cloned().ok_or_else(|| "there is no such file".to_owned())
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
    pub fn open(root: &Path) -> std::io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }
}

impl Files for Folder {
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, String> {
        let path = self.root.join(name).canonicalize().map_err(|e| reason(&e))?;
        if !path.starts_with(&self.root) {
            return Err("it lies outside the project folder".to_owned());
        }
        read_bounded(&path, limit)
    }
}

/// Files named on the command line, and their neighbours.
#[derive(Debug)]
pub struct Loose;

impl Files for Loose {
    fn read(&self, name: &str, limit: usize) -> Result<Vec<u8>, String> {
        read_bounded(Path::new(name), limit)
    }

    fn confined(&self) -> bool {
        false
    }
}

fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, String> {
    // Opening a pipe would wait for a writer, so the kind of file is asked first.
    let metadata = path.metadata().map_err(|e| reason(&e))?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|e| reason(&e))?;
    let mut bytes = Vec::new();
    // One byte more than allowed lets the parser see, and say, that it is too long.
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|e| reason(&e))?;
    Ok(bytes)
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
