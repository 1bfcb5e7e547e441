//! The one normal form of a path (RFC 3986 §6.2.2, with refusals where the RFC leaves two readings).
//!
//! In order: percent-encoded unreserved characters are decoded, once; other escapes get upper-case digits; characters that
//! a path must not hold raw are escaped; repeated slashes are merged; dot segments are removed. Refused are encoded and raw
//! backslashes, controls, raw spaces and non-ASCII bytes, escapes that are not UTF-8, `#`, paths that climb above the root,
//! dot segments that show once the path is decoded, and, unless the operator keeps them, `%2F`, `;` and `%3B`. Case is never
//! folded and Unicode never composed.

use std::borrow::Cow;

use tollgate_filter_api::{Cause, CauseKind, Rule};

use super::{
    readings::{self, Reading},
    rejection::Rejection,
};
use crate::config::{Keep, Paths};

const TARGET: &str = "request target";

const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Not a path that begins with `/`.
pub static FORM: Rejection = Rejection::new(
    "path.form",
    "The request target is not a path.",
    "The target is neither an absolute path nor an absolute URI. Send one of the two.",
    Cause::new(CauseKind::Malformed, TARGET, Rule::Fixed("RFC 9112 §3.2")),
);
/// Escapes that are none, or that are not UTF-8.
pub static ENCODING: Rejection = Rejection::new(
    "path.encoding",
    "The request target is not encoded correctly.",
    "A percent sign without two hexadecimal digits, or escaped bytes that are not UTF-8 (overlong forms included). Encode the text as UTF-8.",
    Cause::new(CauseKind::Malformed, "escape in the request target", Rule::Fixed("RFC 3986 §2.1")),
);
/// A character that must not be in a target.
pub static CHARACTER: Rejection = Rejection::new(
    "path.character",
    "The request target holds a character that is not allowed.",
    "A control, space, backslash, `#` or non-ASCII byte, raw or, for controls and backslashes, escaped. Upstreams disagree about them.",
    Cause::new(CauseKind::Malformed, "character of the request target", Rule::Fixed("RFC 3986 §2")),
);
/// `%2F` while it is refused.
pub static ENCODED_SLASH: Rejection = Rejection::new(
    "path.encoded_slash",
    "The request target holds an encoded slash.",
    "`%2F` in a path is read as a separator by some upstreams. `paths.encoded_slash: keep` lets it through unchanged, unless that reading has dot segments or falls under other rules.",
    Cause::new(CauseKind::NotAllowed, "`%2F` in the path", Rule::Gateway("/paths/encoded_slash")),
);
/// `;`, in either spelling, while it is refused.
pub static SEMICOLON: Rejection = Rejection::new(
    "path.semicolon",
    "The request target holds a path parameter.",
    "Some upstreams cut a segment at `;`, and some of those at `%3B` too. `paths.semicolon: keep` lets it through, unless what is left is a dot segment or falls under other rules.",
    Cause::new(CauseKind::NotAllowed, "`;` in the path", Rule::Gateway("/paths/semicolon")),
);
/// A dot segment to those who decode before they split and cut.
pub static DOTS: Rejection = Rejection::new(
    "path.dots",
    "The request target hides a dot segment.",
    "An upstream that decodes the path finds `.` or `..` in it, as in `..%2Fx`, `..;x`, `..%3Fx` or `..%20`. Send the path without dot segments.",
    Cause::new(CauseKind::Ambiguous, TARGET, Rule::Fixed("RFC 3986 §3.3")),
);
/// An operation here, and another one with other rules to those who decode before they split and cut.
pub static AMBIGUOUS: Rejection = Rejection::new(
    "path.ambiguous",
    "The request target can be read as another resource.",
    "An upstream that takes `%2F` as a slash, `%3F` or `%23` as the end of the path, or cuts segments at `;`, finds another operation, and that one has other rules or not this method.",
    Cause::new(CauseKind::Ambiguous, TARGET, Rule::Fixed("another operation has other rules")),
);
/// More `..` than segments before.
pub static CLIMBS: Rejection = Rejection::new(
    "path.climbs",
    "The request target climbs above the root.",
    "The path holds more `..` segments than there are segments to remove.",
    Cause::new(CauseKind::NotAllowed, "`..` above the root", Rule::Fixed("RFC 3986 §5.2.4")),
);

/// Every way in which a path is refused.
pub static REASONS: [&Rejection; 8] = [&FORM, &ENCODING, &CHARACTER, &ENCODED_SLASH, &SEMICOLON, &CLIMBS, &DOTS, &AMBIGUOUS];

/// A path in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normal<'p> {
    /// What goes upstream and into the log. Borrowed when the path has that form already and holds neither escapes nor semicolons.
    pub path: Cow<'p, str>,
    /// What it is compared by; `None`, as for most paths, when nobody reads in it anything but its own text.
    pub reading: Option<Reading>,
}

/// Brings the path of a request target, without its query, to its normal form.
///
/// # Errors
/// One of [`REASONS`], but [`AMBIGUOUS`], which the router finds out.
pub fn normalize<'p>(path: &'p [u8], rules: &Paths) -> Result<Normal<'p>, &'static Rejection> {
    if path.first() != Some(&b'/') {
        return Err(&FORM);
    }
    if is_plain(path) {
        // Plain bytes are ASCII, so this cannot fail.
        let path = std::str::from_utf8(path).map_err(|_| &CHARACTER)?;
        return Ok(Normal { path: Cow::Borrowed(path), reading: None });
    }
    let mut text = String::with_capacity(path.len() + 16);
    escape(path, rules, &mut text)?;
    let path = remove_dots(&text)?;
    let reading = readings::is_spelled(&path).then(|| Reading::of(&path)).transpose()?;
    Ok(Normal { path: Cow::Owned(path), reading })
}

/// Checks a query: it is not rewritten, because the upstream's reading of it is the definition's business.
///
/// # Errors
/// [`CHARACTER`] for controls, spaces, `#` and non-ASCII bytes.
pub fn query(query: &[u8]) -> Result<&str, &'static Rejection> {
    if query.iter().any(|&b| b <= b' ' || b >= 0x7f || b == b'#') {
        return Err(&CHARACTER);
    }
    std::str::from_utf8(query).map_err(|_| &CHARACTER)
}

/// Neither escapes, nor anything to escape, merge, remove or refuse.
fn is_plain(path: &[u8]) -> bool {
    let mut segment = 0;
    for (i, &byte) in path.iter().enumerate() {
        if !PLAIN[byte as usize] {
            return false;
        }
        if byte == b'/' {
            if i > 0 && (segment == i || is_dots(&path[segment..i])) {
                return false;
            }
            segment = i + 1;
        }
    }
    !is_dots(&path[segment..])
}

fn is_dots(segment: &[u8]) -> bool {
    segment == b"." || segment == b".."
}

/// Writes `raw` with each character in its one spelling; slashes and dots are left to the caller.
pub(super) fn escape(raw: &[u8], rules: &Paths, out: &mut String) -> Result<(), &'static Rejection> {
    let mut i = 0;
    while let Some(&byte) = raw.get(i) {
        match byte {
            b'%' => {
                i += escaped(&raw[i..], rules, out)?;
                continue;
            }
            b'?' => return Err(&FORM),
            b'\\' | b'#' | 0..=b' ' | 0x7f.. => return Err(&CHARACTER),
            b';' if rules.semicolon == Keep::Refuse => return Err(&SEMICOLON),
            b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' => push_escape(byte, out),
            _ => out.push(char::from(byte)),
        }
        i += 1;
    }
    Ok(())
}

/// Handles the escape at the start of `raw`, or the run of them that spells one non-ASCII character; returns its length.
fn escaped(raw: &[u8], rules: &Paths, out: &mut String) -> Result<usize, &'static Rejection> {
    let value = decode(raw)?;
    match value {
        0..=0x1f | 0x7f | b'\\' => return Err(&CHARACTER),
        b'/' if rules.encoded_slash == Keep::Refuse => return Err(&ENCODED_SLASH),
        b';' if rules.semicolon == Keep::Refuse => return Err(&SEMICOLON),
        0x80.. => return character(raw, value, out),
        _ if is_unreserved(value) => out.push(char::from(value)),
        _ => push_escape(value, out),
    }
    Ok(3)
}

fn character(raw: &[u8], first: u8, out: &mut String) -> Result<usize, &'static Rejection> {
    let width = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Err(&ENCODING),
    };
    let mut bytes = [first, 0, 0, 0];
    for (i, byte) in bytes.iter_mut().enumerate().take(width).skip(1) {
        *byte = decode(raw.get(i * 3..).unwrap_or_default())?;
    }
    let bytes = &bytes[..width];
    let text = std::str::from_utf8(bytes).map_err(|_| &ENCODING)?;
    if text.chars().any(char::is_control) {
        return Err(&CHARACTER);
    }
    bytes.iter().for_each(|&byte| push_escape(byte, out));
    Ok(width * 3)
}

/// The byte that the escape at the start of `raw` stands for.
pub(super) fn decode(raw: &[u8]) -> Result<u8, &'static Rejection> {
    let digit = |i: usize| raw.get(i).and_then(|&b| char::from(b).to_digit(16));
    match (raw.first(), digit(1), digit(2)) {
        (Some(b'%'), Some(high), Some(low)) => Ok((high * 16 + low) as u8),
        _ => Err(&ENCODING),
    }
}

fn push_escape(byte: u8, out: &mut String) {
    out.push('%');
    out.push(char::from(UPPER_HEX[usize::from(byte >> 4)]));
    out.push(char::from(UPPER_HEX[usize::from(byte & 15)]));
}

/// Merges slashes and removes dot segments of a path in which every dot is a plain one.
fn remove_dots(path: &str) -> Result<String, &'static Rejection> {
    let mut out = String::with_capacity(path.len());
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => match out.rfind('/') {
                Some(at) => out.truncate(at),
                None => return Err(&CLIMBS),
            },
            _ if hides_dots(segment) => return Err(&DOTS),
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if open {
        out.push('/');
    }
    Ok(out)
}

/// Whether a segment in normal form holds a dot segment for anybody who decodes it, splits it at slashes and cuts it at what
/// ends a segment or the path. Spaces at the end are nothing to some file systems.
pub(super) fn hides_dots(segment: &str) -> bool {
    segment.split("%2F").any(|piece| {
        let rest = piece.trim_start_matches('.');
        let (dots, rest) = (piece.len() - rest.len(), rest.trim_start_matches("%20"));
        matches!(dots, 1 | 2) && (rest.is_empty() || [";", "%3B", "%3F", "%23"].iter().any(|end| rest.starts_with(end)))
    })
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a path in no other spelling (RFC 3986 `pchar` without escapes and `;`, and the slash).
static PLAIN: [bool; 256] = plain();

const fn plain() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] =
            is_unreserved(b) || matches!(b, b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@');
        byte += 1;
    }
    table
}
