//! Multipart bodies (RFC 2046 §5.1, RFC 7578), taken apart strictly.
//!
//! It protects against bodies of which two readers see different parts: lines end with CRLF alone, nothing stands before the first boundary
//! or after the last, what looks like a boundary to a lenient reader is refused, and so is a part with two names, or with a transfer
//! encoding that some readers decode.

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::bodies::{
    BodyLimits, Unfit,
    media::{is_token, parameter, parameters},
};

/// Bytes of the head of a part.
const HEAD: usize = 8 << 10;
/// Fields in it.
const FIELDS: usize = 16;

/// One part.
#[derive(Debug)]
pub(in crate::bodies) struct Piece<'a> {
    /// That of the member of a form.
    pub name: Option<Cow<'a, str>>,
    pub content_type: Option<&'a str>,
    pub bytes: &'a [u8],
}

/// The parts of a body.
///
/// # Errors
/// `multipart` or `parts`.
pub(in crate::bodies) fn read<'a>(bytes: &'a [u8], boundary: &str, limits: &BodyLimits) -> Result<Vec<Piece<'a>>, Unfit> {
    if !is_boundary(boundary) {
        return Err(Unfit::new("content-type", "has no boundary by RFC 2046"));
    }
    let delimiter = format!("--{boundary}").into_bytes();
    let finder = Finder::new(&delimiter);
    let mut rest = bytes.strip_prefix(&*delimiter).ok_or(broken("does not begin with its boundary"))?;
    let mut pieces = Vec::new();
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return if end.is_empty() || end == b"\r\n" { Ok(pieces) } else { Err(broken("goes on after its last boundary")) };
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(broken("has a boundary that is followed by something else"))?;
        if pieces.len() >= limits.parts {
            return Err(Unfit::new("parts", "has too many parts"));
        }
        let end = end_of_part(rest, &finder)?;
        pieces.push(Piece::read(&rest[..end]).map_err(|unfit| unfit.below(&format!("/{}", pieces.len())))?);
        rest = &rest[end + 2 + delimiter.len()..];
    }
}

/// Where a part ends: at the CRLF before the next boundary.
fn end_of_part(rest: &[u8], finder: &Finder<'_>) -> Result<usize, Unfit> {
    for at in finder.find_iter(rest) {
        match rest[..at] {
            [.., b'\r', b'\n'] => return Ok(at - 2),
            // Lenient readers take it for one.
            [.., b'\r' | b'\n'] | [] => return Err(broken("has a boundary that does not begin a line")),
            _ => {}
        }
    }
    Err(broken("has no last boundary"))
}

impl<'a> Piece<'a> {
    fn read(part: &'a [u8]) -> Result<Self, Unfit> {
        let (head, bytes) = match part.strip_prefix(b"\r\n") {
            Some(bytes) => ("", bytes),
            None => {
                let window = &part[..part.len().min(HEAD)];
                let end = memchr::memmem::find(window, b"\r\n\r\n").ok_or(broken("has a part whose head has no end, or is too long"))?;
                (std::str::from_utf8(&part[..end]).map_err(|_| broken("has a part whose head is not UTF-8"))?, &part[end + 4..])
            }
        };
        let mut piece = Self { name: None, content_type: None, bytes };
        let mut disposition = None;
        let mut transfer = None;
        for (number, line) in head.split("\r\n").filter(|line| !line.is_empty()).enumerate() {
            let (name, value) = field(line).filter(|_| number < FIELDS).ok_or(broken("has a part with a field that cannot be read"))?;
            let known = match () {
                () if name.eq_ignore_ascii_case("content-disposition") => &mut disposition,
                () if name.eq_ignore_ascii_case("content-type") => &mut piece.content_type,
                () if name.eq_ignore_ascii_case("content-transfer-encoding") => &mut transfer,
                () => continue,
            };
            if known.replace(value).is_some() {
                return Err(broken("has a part with the same field twice"));
            }
        }
        if !transfer.is_none_or(is_plain) {
            return Err(broken("has a part with a transfer encoding"));
        }
        piece.name = disposition.map(name_of).transpose()?.flatten();
        Ok(piece)
    }
}

/// A field of one line.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_clean = !value.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control());
    (is_token(name) && is_clean).then_some((name, value.trim_matches([' ', '\t'])))
}

/// Whether bytes stand for themselves (RFC 2045 §6.2).
fn is_plain(transfer: &str) -> bool {
    ["binary", "8bit", "7bit"].into_iter().any(|name| transfer.eq_ignore_ascii_case(name))
}

/// The name that a disposition gives to a member of a form.
fn name_of(disposition: &str) -> Result<Option<Cow<'_, str>>, Unfit> {
    let kind = disposition.split_once(';').map_or(disposition, |(kind, _)| kind);
    if !kind.trim_matches([' ', '\t']).eq_ignore_ascii_case("form-data") {
        return Ok(None);
    }
    // Readers do not agree on what a backslash is.
    let found = parameters(disposition).filter(|_| !disposition.contains('\\'));
    let found = found.ok_or(broken("has a part whose disposition cannot be read"))?;
    let has = |name: &str| parameter(&found, name).is_some();
    if has("name*") || has("filename*") && !has("filename") {
        return Err(broken("has a part whose name only some readers see"));
    }
    Ok(found.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("name")).map(|(_, value)| value))
}

/// RFC 2046 §5.1.1.
fn is_boundary(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=70).contains(&text.len()) && text.bytes().all(legal) && !text.ends_with(' ')
}

fn broken(says: &'static str) -> Unfit {
    Unfit::new("multipart", says)
}
