//! Why a content is not what was asked for.

use std::fmt;

/// What a content is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// X.509 certificates.
    Certificate,
    /// A private key.
    PrivateKey,
    /// Public keys.
    PublicKey,
    /// Certificate revocation lists.
    RevocationList,
}

impl Kind {
    /// Whether a block with this label holds one. Labels are OpenSSL's, the older ones included.
    pub(crate) fn has_label(self, label: &str) -> bool {
        match self {
            Self::Certificate => matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"),
            Self::PrivateKey => label.ends_with("PRIVATE KEY"),
            Self::PublicKey => label == "PUBLIC KEY",
            Self::RevocationList => label == "X509 CRL",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::RevocationList => "certificate revocation list",
        })
    }
}

/// Why a content cannot be used. Reads on after the name of the file; nothing of the content is repeated but labels of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// The system cannot read the file.
    #[error("cannot be read: {0}")]
    Io(String),
    /// Longer than such a file ever is.
    #[error("has more than {0} bytes")]
    TooLong(u64),
    /// No block of that kind.
    #[error("holds no {0} in PEM")]
    Nothing(Kind),
    /// A block that cannot be read.
    #[error("holds a damaged {kind}: block {number} ({label}, line {line}) cannot be read")]
    Damaged {
        /// What it should hold.
        kind: Kind,
        /// Its place among all blocks, from 1.
        number: usize,
        /// Its label.
        label: String,
        /// Line of its beginning, from 1.
        line: u32,
    },
    /// A block without an end.
    #[error("is cut off: block {number} (line {line}) has no end")]
    NoEnd {
        /// Its place among all blocks, from 1.
        number: usize,
        /// Line of its beginning, from 1.
        line: u32,
    },
    /// A line that looks like the beginning or the end of a block and is none.
    #[error("is not PEM: line {line} is neither the beginning nor the end of a block")]
    Boundary {
        /// The line, from 1.
        line: u32,
    },
    /// Something behind the last block.
    #[error("holds something else behind its last block, in line {line}")]
    Trailing {
        /// The line, from 1.
        line: u32,
    },
    /// A private key that only a passphrase opens. A prompt for it would hang a server.
    #[error("holds a private key that a passphrase protects (line {line})")]
    Locked {
        /// Line of its beginning, from 1.
        line: u32,
    },
    /// Several private keys.
    #[error("holds {0} private keys, and one is expected")]
    Several(usize),
    /// Not the encoding that X.509 demands, or something behind it.
    #[error("is not a {0} in DER")]
    Der(Kind),
}

impl Unusable {
    /// Where in the file, from 1; 0 for the whole.
    pub fn line(&self) -> u32 {
        match self {
            Self::Damaged { line, .. }
            | Self::NoEnd { line, .. }
            | Self::Boundary { line }
            | Self::Trailing { line }
            | Self::Locked { line } => *line,
            Self::Io(_) | Self::TooLong(_) | Self::Nothing(_) | Self::Several(_) | Self::Der(_) => 0,
        }
    }
}
