//! Trust stores and client certificates for upstreams, and the key that keeps pooled connections apart.

use std::{fmt, path::Path, sync::Arc};

use openssl::{
    pkey::{PKey, Private},
    sha::{Sha256, sha256},
    x509::X509,
};
use tollgate_pem::{File, FileError, KeyPair, Kind, Unusable};

use crate::config::{self, UpstreamHttp};

/// The certificates that an upstream's chain must end in; at least one.
pub struct UpstreamTrust {
    /// The certificates, in the order of the file.
    pub certificates: Arc<Box<[X509]>>,
    /// SHA-256 over the certificates' DER forms.
    pub digest: [u8; 32],
}

/// A certificate of ours, its chain and its key.
pub struct Identity {
    /// Leaf first.
    pub chain: Vec<X509>,
    /// The leaf's key.
    pub key: PKey<Private>,
    /// SHA-256 of the leaf's DER form.
    pub digest: [u8; 32],
}

impl fmt::Debug for UpstreamTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamTrust({} certificates)", self.certificates.len())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl UpstreamTrust {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let certificates = File::read(path)?.certificates()?;
        let mut hash = Sha256::new();
        for certificate in &certificates {
            hash.update(&fingerprint(certificate, path)?);
        }
        Ok(Self { certificates: Arc::new(certificates.into_boxed_slice()), digest: hash.finish() })
    }
}

impl Identity {
    /// Reads a chain and its key from PEM files.
    ///
    /// # Errors
    /// When a file cannot be used, or the key is not the leaf's.
    pub fn read(pair: &config::KeyPair) -> Result<Self, FileError> {
        let KeyPair { leaf, intermediates, key } = KeyPair::read(&pair.certificate, &pair.key)?;
        let digest = fingerprint(&leaf, &pair.certificate)?;
        Ok(Self { chain: [leaf].into_iter().chain(intermediates).collect(), key, digest })
    }
}

fn fingerprint(certificate: &X509, path: &Path) -> Result<[u8; 32], FileError> {
    let wrong = |_| FileError { path: path.to_owned(), why: Unusable::Der(Kind::Certificate).into() };
    certificate.to_der().map(|der| sha256(&der)).map_err(wrong)
}

/// What a pooled connection must have in common with a request to serve it.
pub struct PoolIdentity<'a> {
    pub group: &'a str,
    pub host: &'a str,
    pub port: u16,
    pub server_name: &'a str,
    pub verified: bool,
    pub http: UpstreamHttp,
    pub ca: Option<&'a UpstreamTrust>,
    pub identity: Option<&'a Identity>,
}

impl PoolIdentity<'_> {
    /// 64 bits of a SHA-256 over all of it. Each part is tagged and its length written, so that no two sets of parts are
    /// spelt alike.
    pub fn key(&self) -> u64 {
        let mut hash = Sha256::new();
        let http = [self.http as u8];
        let verified = [u8::from(self.verified)];
        let port = self.port.to_be_bytes();
        let parts: [(u8, &[u8]); 8] = [
            (1, self.group.as_bytes()),
            (2, self.server_name.as_bytes()),
            (3, &verified),
            (4, &http),
            (5, self.ca.map_or(&[], |trust| &trust.digest)),
            (6, self.identity.map_or(&[], |identity| &identity.digest)),
            (7, self.host.as_bytes()),
            (8, &port),
        ];
        for (tag, part) in parts {
            hash.update(&[tag]);
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finish();
        u64::from_be_bytes(std::array::from_fn(|i| digest[i]))
    }
}
