//! Certificates, keys and revocation lists out of PEM (RFC 7468), read alike wherever the gateway meets them.
//!
//! Every block of the kind that is asked for must be readable: a trust store with one damaged certificate is refused whole, and the error
//! names the block. Blocks of other kinds are passed over, so that a certificate and its key may share a file. Text may stand in front of
//! blocks, as tools write it, but not behind the last one, where a block may have been cut off.
//!
//! Does **not** protect against: certificates and keys that are weak, have expired or belong to somebody else.

mod blocks;
mod file;
mod read;
mod unusable;

pub use file::{File, FileError, FileFault, KeyPair};
pub use read::{certificate_from_der, certificates, is_pem, private_key, public_keys, revocation_lists};
pub use unusable::{Kind, Unusable};
