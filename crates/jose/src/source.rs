//! The three formats that keys are kept in.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    json,
    key::Key,
    unusable::{Dropped, Unusable},
};

/// A set with more keys is not read: a token without `kid` is tried against each of them.
const MAX_KEYS: usize = 64;

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

/// What a content holds.
#[derive(Debug)]
pub struct KeySet {
    /// The keys that can be used.
    pub keys: Arc<[Arc<Key>]>,
    /// The others, each with its reason.
    pub dropped: Vec<Dropped>,
}

/// Why a content as a whole is no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not an RFC 7517 set.
    #[error("it is not a JSON object with one list `keys`")]
    NotASet,
    /// Not PEM of that kind.
    #[error("it {0}")]
    Pem(#[from] tollgate_pem::Unusable),
    /// More keys than are tried.
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
}

/// Takes a content apart. A key that cannot be used is left out alone.
///
/// # Errors
/// When the content as a whole is not of that format.
pub fn parse(format: Format, bytes: &[u8]) -> Result<KeySet, Unreadable> {
    let read = match format {
        Format::Jwks => jwks(bytes),
        Format::Pem => pem(bytes),
        Format::Certificate => certificates(bytes),
    }?;
    if read.len() > MAX_KEYS {
        return Err(Unreadable::TooMany);
    }
    let (mut keys, mut dropped) = (Vec::new(), Vec::new());
    for (index, (key, kid)) in read.into_iter().enumerate() {
        match key {
            Ok(key) => keys.push(Arc::new(key)),
            Err(why) => dropped.push(Dropped::new(index, kid.as_deref(), why)),
        }
    }
    Ok(KeySet { keys: keys.into(), dropped })
}

/// A key, or why it is none; and its name.
type Read = (Result<Key, Unusable>, Option<String>);

/// The keys as text, so that one with a name twice spoils no other. `keys` twice is an error.
#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

fn jwks(bytes: &[u8]) -> Result<Vec<Read>, Unreadable> {
    let set: Set<'_> = serde_json::from_slice(bytes).map_err(|_| Unreadable::NotASet)?;
    if set.keys.len() > MAX_KEYS {
        return Err(Unreadable::TooMany);
    }
    let read = |raw: &RawValue| match json::object(raw.get().as_bytes()) {
        Ok(jwk) => (Key::from_jwk(&jwk), jwk.get("kid").and_then(Value::as_str).map(str::to_owned)),
        Err(_) => (Err(Unusable::NotAnObject), None),
    };
    Ok(set.keys.into_iter().map(read).collect())
}

fn pem(bytes: &[u8]) -> Result<Vec<Read>, Unreadable> {
    Ok(tollgate_pem::public_keys(bytes)?.into_iter().map(|key| (Key::from_public(key), None)).collect())
}

fn certificates(bytes: &[u8]) -> Result<Vec<Read>, Unreadable> {
    Ok(tollgate_pem::certificates(bytes)?.iter().map(|certificate| (Key::from_certificate(certificate), None)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"good"}"#;

    #[test]
    fn a_key_that_cannot_be_used_is_left_out_alone_and_says_which_it_is() {
        let twice = r#"{"kty":"OKP","kty":"OKP"}"#;
        let deep = format!(r#"{{"kid":"deep","x5c":{}{}}}"#, "[".repeat(50), "]".repeat(50));
        let text = format!(r#"{{"keys":[null,{twice},{deep},{{"kty":"oct","k":"AA","kid":"secret"}},"key",{GOOD}]}}"#);
        let set = parse(Format::Jwks, text.as_bytes()).unwrap();
        assert_eq!(set.keys.iter().map(|key| key.kid.as_deref()).collect::<Vec<_>>(), [Some("good")]);
        let told: Vec<String> = set.dropped.iter().map(ToString::to_string).collect();
        let no_object = |number: usize| format!("key {number}: it is not one strict JSON object");
        let secret = r#"key 4 (kid "secret"): `k` is a part of a private key, and it was published"#.to_owned();
        assert_eq!(told, [no_object(1), no_object(2), no_object(3), secret, no_object(5)]);
    }

    #[test]
    fn what_is_no_set_is_told_from_a_set_without_a_usable_key() {
        for text in ["", "[]", "{}", r#"{"keys":null}"#, r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, r#"{"keys":[],"k\u0065ys":[]}"#] {
            assert_eq!(parse(Format::Jwks, text.as_bytes()).err(), Some(Unreadable::NotASet), "{text}");
        }
        assert!(parse(Format::Jwks, br#"{"keys":[]}"#).is_ok_and(|set| set.keys.is_empty() && set.dropped.is_empty()));
        let crowd = format!(r#"{{"keys":[{}]}}"#, [GOOD; 65].join(","));
        assert_eq!(parse(Format::Jwks, crowd.as_bytes()).err(), Some(Unreadable::TooMany));
    }
}
