//! The `charset` of text: UTF-8 or what is a part of it. Other charsets would be another text for a reader that ignores the label.

use super::{
    Unfit,
    media::{Parameter, parameter},
};

/// Checks the label against the bytes, which the notation itself holds to UTF-8.
///
/// # Errors
/// `charset` for any but UTF-8 and US-ASCII, or for US-ASCII that is none.
pub(super) fn check(parameters: &[Parameter<'_>], bytes: &[u8]) -> Result<(), Unfit> {
    match parameter(parameters, "charset") {
        None => Ok(()),
        Some(label) => check_label(label, bytes),
    }
}

/// As [`check`], for a label from elsewhere.
///
/// # Errors
/// See there.
pub(super) fn check_label(label: &str, bytes: &[u8]) -> Result<(), Unfit> {
    match () {
        () if label.eq_ignore_ascii_case("utf-8") || label.eq_ignore_ascii_case("utf8") => Ok(()),
        () if label.eq_ignore_ascii_case("us-ascii") && bytes.is_ascii() => Ok(()),
        () => Err(Unfit::new("charset", "must be UTF-8")),
    }
}

/// The bytes as text.
///
/// # Errors
/// `utf-8`.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Unfit> {
    std::str::from_utf8(bytes).map_err(|_| Unfit::new("utf-8", "is not UTF-8"))
}

/// The field of a form that would change the charset of the others (RFC 7578 §4.6).
const NAMED: &str = "_charset_";

/// Checks that field, if it is it.
///
/// # Errors
/// `charset`.
pub(super) fn check_named(name: &str, value: &[u8]) -> Result<(), Unfit> {
    if name != NAMED || value.eq_ignore_ascii_case(b"utf-8") { Ok(()) } else { Err(Unfit::new("charset", "must be UTF-8")) }
}
