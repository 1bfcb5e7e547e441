//! Ed25519 keys (RFC 8032) and what they sign.
//!
//! Protects against a signature made for another purpose: the signed message begins with a name of its own. Does not
//! protect the private key; it is read from wherever the caller keeps it.

use std::fmt;

use openssl::{
    pkey::{Id, PKey, Private},
    sign::{Signer, Verifier},
};
use tollgate_pem::{private_key, public_keys};

use super::{ArtifactError, Signature};

const DOMAIN: &[u8] = b"tollgate artifact\0";

/// A private key that signs artifacts.
pub struct SigningKey(PKey<Private>);

impl SigningKey {
    /// Reads an unencrypted private key, PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`ArtifactError::NotAKey`] for anything else, keys of other kinds included.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ArtifactError> {
        let key = private_key(pem).map_err(|why| ArtifactError::NotAKey { expected: "private", why: why.to_string() })?;
        if key.id() == Id::ED25519 { Ok(Self(key)) } else { Err(other("private")) }
    }

    /// The public half.
    ///
    /// # Errors
    /// [`ArtifactError::Crypto`] when OpenSSL cannot export it.
    pub fn verifying_key(&self) -> Result<VerifyingKey, ArtifactError> {
        VerifyingKey::from_raw(&self.0.raw_public_key()?)
    }

    pub(super) fn sign(&self, digest: &[u8; 32]) -> Result<Signature, ArtifactError> {
        let key = self.verifying_key()?;
        let mut bytes = [0; 64];
        Signer::new_without_digest(&self.0)?.sign_oneshot(&mut bytes, &message(digest))?;
        Ok(Signature { key, bytes })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// A public key that artifacts can be verified with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Reads a public key, SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`ArtifactError::NotAKey`] for anything else, keys of other kinds included.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ArtifactError> {
        let keys = public_keys(pem).map_err(|why| ArtifactError::NotAKey { expected: "public", why: why.to_string() })?;
        match &keys[..] {
            [key] if key.id() == Id::ED25519 => Self::from_raw(&key.raw_public_key()?),
            _ => Err(other("public")),
        }
    }

    /// The raw 32 bytes in lower-case hex.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    fn from_raw(raw: &[u8]) -> Result<Self, ArtifactError> {
        raw.try_into().map(Self).map_err(|_| other("public"))
    }

    pub(super) fn from_array(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.to_hex())
    }
}

impl Signature {
    pub(super) fn fits(&self, digest: &[u8; 32]) -> bool {
        // Bytes that are no point on the curve make OpenSSL fail; for the reader that is a bad signature like any other.
        PKey::public_key_from_raw_bytes(self.key.as_bytes(), Id::ED25519)
            .and_then(|key| Verifier::new_without_digest(&key)?.verify_oneshot(&self.bytes, &message(digest)))
            .unwrap_or(false)
    }
}

/// A key can be read, and is not the one that is needed.
fn other(expected: &'static str) -> ArtifactError {
    ArtifactError::NotAKey { expected, why: "holds a key of another kind, or several".to_owned() }
}

fn message(digest: &[u8; 32]) -> Vec<u8> {
    [DOMAIN, digest].concat()
}
