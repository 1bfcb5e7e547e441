//! The three formats that keys are kept in.

use std::sync::Arc;

use openssl::{pkey::PKey, x509::X509};
use serde_json::Value;

use crate::{json, key::Key};

/// A set with more keys is not read: a token without `kid` is tried against each of them.
const MAX_KEYS: usize = 64;
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// How keys are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 7517.
    Jwks,
    /// `SubjectPublicKeyInfo` in PEM.
    Pem,
    /// X.509 in PEM.
    Certificate,
}

/// The keys that can be used; `None` when the content as a whole is not of that format.
pub fn parse(format: Format, bytes: &[u8]) -> Option<Arc<[Arc<Key>]>> {
    let keys = match format {
        Format::Jwks => jwks(bytes),
        Format::Pem => pem(bytes),
        Format::Certificate => certificates(bytes),
    }?;
    (keys.len() <= MAX_KEYS).then(|| keys.into_iter().map(Arc::new).collect())
}

fn jwks(bytes: &[u8]) -> Option<Vec<Key>> {
    let set = json::object(bytes).ok()?;
    let keys = set.get("keys")?.as_array()?;
    if keys.len() > MAX_KEYS {
        return None;
    }
    Some(keys.iter().filter_map(Value::as_object).filter_map(Key::from_jwk).collect())
}

fn pem(bytes: &[u8]) -> Option<Vec<Key>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let blocks: Vec<&str> = text.split_inclusive(PEM_END).filter(|block| block.contains(PEM_END)).collect();
    let keys: Vec<_> = blocks.iter().filter_map(|block| PKey::public_key_from_pem(block.as_bytes()).ok()).collect();
    (!keys.is_empty() && keys.len() == blocks.len()).then(|| keys.into_iter().filter_map(Key::from_public).collect())
}

fn certificates(bytes: &[u8]) -> Option<Vec<Key>> {
    let certificates = X509::stack_from_pem(bytes).ok()?;
    (!certificates.is_empty()).then(|| certificates.iter().filter_map(|certificate| Key::from_certificate(certificate)).collect())
}
