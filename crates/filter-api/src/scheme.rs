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
    let mut values = req.get_all(header);
    let value = values.next().ok_or(NoCredential::Missing)?;
    if values.next().is_some() {
        return Err(NoCredential::Twice);
    }
    let value = value.to_str().map_err(|_| NoCredential::Unreadable)?.trim_matches(' ');
    let (found, rest) = value.split_once(' ').unwrap_or((value, ""));
    let credential = rest.trim_start_matches(' ');
    match () {
        () if found.is_empty() => Err(NoCredential::Missing),
        () if !found.eq_ignore_ascii_case(scheme) => Err(NoCredential::OtherScheme),
        () if credential.is_empty() => Err(NoCredential::Missing),
        () => Ok(credential),
    }
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
}
