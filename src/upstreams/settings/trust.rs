//! Trust stores and client certificates for upstreams, and the key that keeps pooled connections apart.

use std::{fmt, path::Path, sync::Arc};

use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    sha::Sha256,
    x509::X509,
};

use crate::config::{KeyPair, UpstreamHttp};

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

/// Why a file is not what it should be: a sentence without a full stop, naming the file.
type Complaint = String;

impl UpstreamTrust {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it cannot be read, is not PEM, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, Complaint> {
        let certificates = certificates(path)?;
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
    /// When a file cannot be read or is not PEM, or the key is not the leaf's.
    pub fn read(pair: &KeyPair) -> Result<Self, Complaint> {
        let chain = certificates(&pair.certificate)?;
        let shown = pair.key.display();
        let pem = std::fs::read(&pair.key).map_err(|error| format!("cannot read {shown}: {error}"))?;
        // A passphrase prompt would hang a server, so an encrypted key is refused.
        let key = PKey::private_key_from_pem_callback(&pem, |_| Ok(0))
            .map_err(|_| format!("{shown} holds no unencrypted private key in PEM form"))?;
        let leaf = &chain[0];
        if !leaf.public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(format!("the key {shown} does not belong to the first certificate of {}", pair.certificate.display()));
        }
        let digest = fingerprint(leaf, &pair.certificate)?;
        Ok(Self { chain, key, digest })
    }
}

/// At least one certificate, or why not.
fn certificates(path: &Path) -> Result<Vec<X509>, Complaint> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let stack = X509::stack_from_pem(&pem).map_err(|_| format!("{shown} holds a damaged certificate"))?;
    if stack.is_empty() {
        return Err(format!("{shown} holds no certificate in PEM form"));
    }
    Ok(stack)
}

fn fingerprint(certificate: &X509, path: &Path) -> Result<[u8; 32], Complaint> {
    let digest = certificate.digest(MessageDigest::sha256()).map_err(|_| format!("{} holds a damaged certificate", path.display()))?;
    <[u8; 32]>::try_from(&*digest).map_err(|_| format!("{} holds a damaged certificate", path.display()))
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
