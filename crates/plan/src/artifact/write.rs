//! Artifact to bytes, and bytes to a file in one step.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use openssl::sha::sha256;

use super::{ArtifactError, FORMAT_VERSION, MAGIC, Signature};
use crate::Plan;

/// Everything that the digest covers.
pub(super) fn body(plan: &Plan, documents: &[(String, Vec<u8>)]) -> Result<Vec<u8>, ArtifactError> {
    let plan = canonical(plan).map_err(ArtifactError::Plan)?;
    let mut bytes = Vec::with_capacity(plan.len() + documents.iter().map(|(p, d)| p.len() + d.len() + 12).sum::<usize>() + 256);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_be_bytes());
    bytes.extend_from_slice(&(plan.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&plan);
    bytes.extend_from_slice(&count(documents.len()));
    for (path, content) in documents {
        bytes.extend_from_slice(&count(path.len()));
        bytes.extend_from_slice(path.as_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(content);
    }
    Ok(bytes)
}

pub(super) fn digest(body: &[u8]) -> [u8; 32] {
    sha256(body)
}

pub(super) fn seal(mut body: Vec<u8>, digest: &[u8; 32], signatures: &[Signature]) -> Vec<u8> {
    body.extend_from_slice(digest);
    body.extend_from_slice(&count(signatures.len()));
    for signature in signatures {
        body.extend_from_slice(signature.key.as_bytes());
        body.extend_from_slice(&signature.bytes);
    }
    body
}

/// Writes beside the file, then renames over it; what was half written never has the file's name. A link stays one, and what is no
/// file stays what it is.
pub(super) fn atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &target(path)?;
    let temporary = temporary(path)?;
    // A writer of the same number may have been killed here; in a container it always has the same.
    let _ = fs::remove_file(&temporary);
    let written = create(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a file that cannot be removed either does no harm.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder(path))?.sync_all()
}

/// What to rename over: a rename would put a file in place of a device as well.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => path.canonicalize(),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is something that is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    Ok(folder(path).join(hidden))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn canonical(plan: &Plan) -> serde_json::Result<Vec<u8>> {
    let mut value = serde_json::to_value(plan)?;
    value.sort_all_objects();
    serde_json::to_vec(&value)
}

fn count(n: usize) -> [u8; 4] {
    u32::try_from(n).expect("neither 2^32 documents nor a path of 4 GiB fit the compiler's limits").to_be_bytes()
}
