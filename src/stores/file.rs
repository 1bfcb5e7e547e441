//! Files as documents: read whole, read again when they were replaced or changed.
//!
//! A change is seen by inode, size, modification and change time, so a file that was swapped by a rename or a symbolic link
//! is seen too. A writer that is caught in the middle of its work is read as it is: write elsewhere, then rename.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use bytes::Bytes;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The content and its stamp; `None` when the stamp is still `known`.
///
/// # Errors
/// When the file cannot be read, is not a regular file, or is longer than `max_bytes`.
pub(super) fn read(path: &Path, known: Option<Stamp>, max_bytes: usize) -> io::Result<Option<(Bytes, Stamp)>> {
    // Judged before opening: opening a FIFO would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    let stamp = Stamp {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    };
    if known == Some(stamp) {
        return Ok(None);
    }
    let mut content = Vec::new();
    file.take(max_bytes as u64 + 1).read_to_end(&mut content)?;
    if content.len() > max_bytes {
        return Err(io::Error::other(format!("longer than the {max_bytes} bytes allowed")));
    }
    Ok(Some((content.into(), stamp)))
}
