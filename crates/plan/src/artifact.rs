//! The artifact: one file that carries a [`Plan`] and the documents it was compiled from.
//!
//! The same Plan and documents give the same bytes; nothing of time, machine or folder is stored. In order, with numbers
//! in network byte order:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | magic, `TOLLGATE` |
//! | 4 | format version |
//! | 8 + n | length and bytes of the Plan, JSON with sorted object keys |
//! | 4 | number of documents, and for each: |
//! | 4 + n, 8 + n | length and bytes of its path, length and bytes of its content |
//! | 32 | SHA-256 of everything before |
//! | 4 | number of signatures, and for each: |
//! | 32 + 64 | raw Ed25519 public key, signature over `tollgate artifact\0` and the digest |
//!
//! Protects against change: a reader that gets an [`Artifact`] knows that every byte is as it was written, that each
//! signature was made with the key beside it, and that nothing follows. Does not protect against a writer: whoever can
//! replace the file can also make a valid one, unless [`Artifact::verify`] is asked for a key that they do not have.
//! Nothing is hidden: definitions are readable.

mod error;
mod keys;
mod read;
mod write;

use std::{fs::File, io::Read, path::Path};

pub use error::ArtifactError;
pub use keys::{SigningKey, VerifyingKey};

use crate::Plan;

const MAGIC: &[u8; 8] = b"TOLLGATE";
/// 3 since a Plan keeps what definitions say to filters apart from settings: an older one would say it to nobody.
const FORMAT_VERSION: u32 = 4;
/// More signers than any release process has; keeps a forged count from costing time.
const MAX_SIGNATURES: u32 = 64;

/// A signature over the digest, with the key that verifies it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Signature {
    key: VerifyingKey,
    bytes: [u8; 64],
}

/// A Plan, sealed with its documents.
#[derive(Clone, Debug)]
pub struct Artifact {
    plan: Plan,
    /// `None` when it was read without them.
    documents: Option<Vec<(String, Vec<u8>)>>,
    digest: [u8; 32],
    /// Sorted by key, one for each key.
    signatures: Vec<Signature>,
}

impl Artifact {
    /// Seals a Plan and the documents, as path and bytes, that it was compiled from; their order is part of the bytes.
    ///
    /// # Errors
    /// [`ArtifactError::Plan`] when the Plan cannot be written as JSON.
    pub fn new(plan: Plan, documents: Vec<(String, Vec<u8>)>) -> Result<Self, ArtifactError> {
        let digest = write::digest(&write::body(&plan, &documents)?);
        Ok(Self { plan, documents: Some(documents), digest, signatures: Vec::new() })
    }

    /// Reads and checks a file; the documents are checked as they pass and not kept.
    ///
    /// # Errors
    /// Everything that keeps the file from being a whole, unchanged artifact of this format version.
    pub fn read(path: &Path) -> Result<Self, ArtifactError> {
        let (file, size) = open(path)?;
        read::artifact(file, size, false)
    }

    /// As [`read`](Self::read), and keeps the documents, so that errors and explanations can quote them.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_with_documents(path: &Path) -> Result<Self, ArtifactError> {
        let (file, size) = open(path)?;
        read::artifact(file, size, true)
    }

    /// Reads `size` bytes from anywhere, and keeps the documents if asked to.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_from(reader: impl Read, size: u64, keep_documents: bool) -> Result<Self, ArtifactError> {
        read::artifact(reader, size, keep_documents)
    }

    /// Adds a signature; a second one with the same key changes nothing.
    ///
    /// # Errors
    /// [`ArtifactError::Crypto`] when OpenSSL cannot sign.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), ArtifactError> {
        let signature = key.sign(&self.digest)?;
        if let Err(place) = self.signatures.binary_search_by(|s| s.key.cmp(&signature.key)) {
            self.signatures.insert(place, signature);
        }
        Ok(())
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// [`ArtifactError::DocumentsNotKept`] when it was read without its documents.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        let documents = self.documents.as_ref().ok_or(ArtifactError::DocumentsNotKept)?;
        let body = write::body(&self.plan, documents)?;
        Ok(write::seal(body, &self.digest, &self.signatures))
    }

    /// Writes the file in one step: a reader sees the old file or the new one, whole.
    ///
    /// # Errors
    /// [`ArtifactError::Io`], and as [`to_bytes`](Self::to_bytes).
    pub fn write(&self, path: &Path) -> Result<(), ArtifactError> {
        write::atomically(path, &self.to_bytes()?).map_err(|cause| ArtifactError::io("written", cause))
    }

    /// Demands a signature by one of the trusted keys, and names those of them that signed, as raw keys in hex.
    ///
    /// # Errors
    /// [`ArtifactError::Unsigned`]; [`ArtifactError::UnknownSigner`] when none of the signers is trusted, so always when
    /// `trusted` is empty.
    pub fn verify(&self, trusted: &[VerifyingKey]) -> Result<Vec<String>, ArtifactError> {
        if self.signatures.is_empty() {
            return Err(ArtifactError::Unsigned);
        }
        let known: Vec<String> = self.signatures.iter().filter(|s| trusted.contains(&s.key)).map(|s| s.key.to_hex()).collect();
        if known.is_empty() {
            return Err(ArtifactError::UnknownSigner { signers: self.signers().join(", ") });
        }
        Ok(known)
    }

    /// Every key that signed, trusted or not, as raw keys in hex. Each signature was verified when it was read.
    pub fn signers(&self) -> Vec<String> {
        self.signatures.iter().map(|s| s.key.to_hex()).collect()
    }

    /// SHA-256 over everything but the signatures, in hex.
    pub fn digest(&self) -> String {
        hex::encode(self.digest)
    }

    /// The Plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The Plan, without the rest.
    pub fn into_plan(self) -> Plan {
        self.plan
    }

    /// Path and bytes of each document; `None` when they were not kept.
    pub fn documents(&self) -> Option<&[(String, Vec<u8>)]> {
        self.documents.as_deref()
    }
}

fn open(path: &Path) -> Result<(File, u64), ArtifactError> {
    let cannot = |cause| ArtifactError::io("read", cause);
    // Judged before opening: opening a FIFO would wait for its writer.
    if !path.metadata().map_err(cannot)?.is_file() {
        return Err(ArtifactError::NotAnArtifact);
    }
    let file = File::open(path).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len();
    Ok((file, length))
}
