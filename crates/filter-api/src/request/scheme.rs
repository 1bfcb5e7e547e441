//! A credential in a header, behind the name of its scheme (RFC 9110 §11.4).

use http::HeaderName;

use crate::RequestHead;

/// Why there is no credential to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCredential {
    /// The header is absent, empty, or has nothing behind the scheme.
    Missing,
    /// The header names another scheme.
    OtherScheme,
    /// The header occurs more than once: who reads it next may take the other one.
    Twice,
    /// The header is not printable ASCII.
    Unreadable,
}

/// What stands behind this scheme, in whatever case the scheme is written.
///
/// # Errors
/// When nothing does.
pub fn behind_scheme<'r>(req: &'r RequestHead, header: &HeaderName, scheme: &str) -> Result<&'r str, NoCredential> {
    let credential = bytes_behind_scheme(req, header, scheme)?;
    str::from_utf8(credential).ok().filter(|text| text.is_ascii()).ok_or(NoCredential::Unreadable)
}

/// The same for who needs no look at each character; never [`NoCredential::Unreadable`]. Behind an empty scheme stands the whole value.
///
/// # Errors
/// When nothing does.
pub fn bytes_behind_scheme<'r>(req: &'r RequestHead, header: &HeaderName, scheme: &str) -> Result<&'r [u8], NoCredential> {
    let mut values = req.get_all(header);
    let value = values.next().ok_or(NoCredential::Missing)?.as_bytes();
    if values.next().is_some() {
        return Err(NoCredential::Twice);
    }
    let value = trimmed(value);
    let (found, credential) = if scheme.is_empty() { (value, value) } else { parts(value) };
    match () {
        () if found.is_empty() => Err(NoCredential::Missing),
        () if !scheme.is_empty() && !found.eq_ignore_ascii_case(scheme.as_bytes()) => Err(NoCredential::OtherScheme),
        () if credential.is_empty() => Err(NoCredential::Missing),
        () => Ok(credential),
    }
}

/// Whether the first value of a header names that scheme.
pub fn has_scheme(req: &RequestHead, header: &HeaderName, scheme: &str) -> bool {
    req.get(header).is_some_and(|value| parts(trimmed(value.as_bytes())).0.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// The word before the first space, and what stands behind the spaces.
fn parts(value: &[u8]) -> (&[u8], &[u8]) {
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    (&value[..end], trimmed(&value[end..]))
}

/// Without the spaces around it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;

    #[test]
    fn one_header_of_that_scheme_has_a_credential_and_every_other_says_why_not() {
        for (values, expected) in [
            (&[&b"Basic x"[..]][..], Ok("x")),
            (&[b"bAsIc   x y "], Ok("x y")),
            (&[], Err(NoCredential::Missing)),
            (&[b""], Err(NoCredential::Missing)),
            (&[b"  "], Err(NoCredential::Missing)),
            (&[b"Basic"], Err(NoCredential::Missing)),
            (&[b"Basic  "], Err(NoCredential::Missing)),
            (&[b"Basicx y"], Err(NoCredential::OtherScheme)),
            (&[b"Basic\tx"], Err(NoCredential::OtherScheme)),
            (&[b"Basic x", b"Basic x"], Err(NoCredential::Twice)),
            (&[b"Basic \xff"], Err(NoCredential::Unreadable)),
        ] {
            let mut req = RequestHead::build("GET", "/").unwrap();
            values.iter().for_each(|value| req.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap()));
            assert_eq!(behind_scheme(&req, &AUTHORIZATION, "Basic"), expected, "{values:?}");
        }
    }

    #[test]
    fn without_a_scheme_the_value_is_the_credential_whatever_its_bytes() {
        let bytes = |value: &[u8], scheme: &str| {
            let mut req = RequestHead::build("GET", "/").unwrap();
            req.set(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            bytes_behind_scheme(&req, &AUTHORIZATION, scheme).map(<[u8]>::to_vec)
        };
        assert_eq!(bytes(b" a b ", ""), Ok(b"a b".to_vec()));
        assert_eq!(bytes(b"  ", ""), Err(NoCredential::Missing));
        assert_eq!(bytes(b"Basic \xff", "basic"), Ok(b"\xff".to_vec()));
    }

    #[test]
    fn a_scheme_is_one_word_at_the_beginning() {
        for (value, expected) in [("dpop x", true), (" DPoP", true), ("DPoPx", false), ("x DPoP", false), ("", false)] {
            let mut req = RequestHead::build("GET", "/").unwrap();
            req.set(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(has_scheme(&req, &AUTHORIZATION, "DPoP"), expected, "{value:?}");
        }
    }
}
