//! Pieces of a raw text, and what their escapes stand for.

use std::borrow::Cow;

/// What is escaped in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Nothing: fields, and cookies that say so. Upstreams read them as they are.
    Nothing,
    /// Bytes, by a percent sign (RFC 3986 §2.1).
    Percent,
    /// As in `Percent`, and a space by a plus sign: queries. RFC 6570, by which OpenAPI writes them, spells both signs as escapes, so a
    /// plus of its own does not occur; forms of browsers and nearly all readers of queries take one for a space, and what is judged must
    /// be what they read.
    Form,
}

/// The text, borrowed when nothing in it is escaped. `None` when an escape is broken, or when it is not UTF-8.
pub(super) fn decoded(raw: &[u8], escapes: Escapes) -> Option<Cow<'_, str>> {
    let is_escape = |byte: &u8| match byte {
        b'%' => escapes != Escapes::Nothing,
        b'+' => escapes == Escapes::Form,
        _ => false,
    };
    let Some(first) = raw.iter().position(is_escape) else {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    };
    let mut text = Vec::with_capacity(raw.len());
    text.extend_from_slice(&raw[..first]);
    let mut rest = raw[first..].iter();
    while let Some(byte) = rest.next() {
        text.push(match byte {
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'+' if escapes == Escapes::Form => b' ',
            _ => *byte,
        });
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What separates the pieces of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimiter {
    Comma,
    Semicolon,
    Dot,
    Space,
    Pipe,
    Tab,
}

impl Delimiter {
    /// Bytes of the delimiter that the text begins with; 0 when it begins with none. Those that no target may hold raw come escaped.
    fn length(self, text: &[u8], escapes: Escapes) -> usize {
        let escaped = |digits: &[u8]| {
            let found = escapes != Escapes::Nothing && text.get(1..3).is_some_and(|found| found.eq_ignore_ascii_case(digits));
            if found { 3 } else { 0 }
        };
        match (self, text.first()) {
            (Self::Comma, Some(b','))
            | (Self::Semicolon, Some(b';'))
            | (Self::Dot, Some(b'.'))
            | (Self::Space, Some(b' '))
            | (Self::Pipe, Some(b'|'))
            | (Self::Tab, Some(b'\t')) => 1,
            (Self::Space, Some(b'+')) => usize::from(escapes == Escapes::Form),
            (Self::Space, Some(b'%')) => escaped(b"20"),
            (Self::Pipe, Some(b'%')) => escaped(b"7c"),
            (Self::Tab, Some(b'%')) => escaped(b"09"),
            _ => 0,
        }
    }
}

/// The pieces of a text; at least one, which may be empty.
pub(super) struct Pieces<'r> {
    rest: Option<&'r [u8]>,
    delimiter: Delimiter,
    escapes: Escapes,
}

pub(super) fn pieces(text: &[u8], delimiter: Delimiter, escapes: Escapes) -> Pieces<'_> {
    Pieces { rest: Some(text), delimiter, escapes }
}

impl<'r> Iterator for Pieces<'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        let text = self.rest.take()?;
        for at in 0..text.len() {
            let length = self.delimiter.length(&text[at..], self.escapes);
            if length > 0 {
                self.rest = Some(&text[at + length..]);
                return Some(&text[..at]);
            }
        }
        Some(text)
    }
}

/// Name and value, at the first `=`.
pub(super) fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == b'=')?;
    Some((&text[..at], &text[at + 1..]))
}
