//! What can be wrong with an artifact or a key.

use std::io;

/// Why an artifact was refused, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file does not begin like an artifact.
    #[error("this is not a Tollgate artifact; `tollgate build` makes one")]
    NotAnArtifact,
    /// It was written by a later Tollgate.
    #[error("the artifact has format version {found}, this Tollgate reads version {known}; build it again, or run a newer Tollgate")]
    NewerFormat {
        /// Version in the file.
        found: u32,
        /// Version that is understood here.
        known: u32,
    },
    /// It was written by an earlier Tollgate, which recorded less.
    #[error("the artifact has format version {found}, this Tollgate reads version {known}; build it again")]
    OlderFormat {
        /// Version in the file.
        found: u32,
        /// Version that is understood here.
        known: u32,
    },
    /// The file is shorter than it says.
    #[error("the artifact is truncated: it ends inside {inside}")]
    Truncated {
        /// The part that is not whole.
        inside: &'static str,
    },
    /// The file is longer than it says, or holds something that no writer writes.
    #[error("the artifact is malformed: {what}")]
    Malformed {
        /// What was found.
        what: &'static str,
    },
    /// A byte was changed since the artifact was built.
    #[error("the artifact was changed after it was built: its digest says {stored}, its bytes give {computed}")]
    DigestDiffers {
        /// Digest in the file, hex.
        stored: String,
        /// Digest of what was read, hex.
        computed: String,
    },
    /// A signature does not fit digest and key.
    #[error("the artifact's signature by key {signer} is not valid")]
    BadSignature {
        /// Raw key beside the signature, hex.
        signer: String,
    },
    /// A signature was demanded, and there is none.
    #[error("the artifact is not signed, and only artifacts signed by a trusted key are accepted")]
    Unsigned,
    /// Signed, but by nobody who is trusted.
    #[error("the artifact is signed by {signers}, and that is no trusted key")]
    UnknownSigner {
        /// Raw keys, hex.
        signers: String,
    },
    /// Digest and format are right, and still the Plan is not one that this Tollgate knows.
    #[error("the artifact's plan does not fit this Tollgate: {0}")]
    Plan(#[source] serde_json::Error),
    /// It was read without its documents, so it cannot be written again.
    #[error("the artifact was read without its documents and cannot be written again")]
    DocumentsNotKept,
    /// Not an Ed25519 key in PEM.
    #[error("this is not an Ed25519 {expected} key in PEM: the file {why} (`openssl genpkey -algorithm ed25519` makes a private one)")]
    NotAKey {
        /// `private` or `public`.
        expected: &'static str,
        /// What is wrong with the file; reads on after its name.
        why: String,
    },
    /// OpenSSL refused to work.
    #[error("cryptography failed: {0}")]
    Crypto(#[from] openssl::error::ErrorStack),
    /// The file cannot be read or written.
    #[error("the artifact cannot be {action}: {cause}")]
    Io {
        /// `read` or `written`.
        action: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl ArtifactError {
    pub(super) fn io(action: &'static str, cause: io::Error) -> Self {
        Self::Io { action, cause }
    }
}
