//! A look at the tags of a document before a tree is made of it.
//!
//! The parser compares each attribute with all others of its element, and copies the namespaces that are in scope wherever one is
//! declared: a few megabytes of them would take it minutes and gigabytes. It does not see a default namespace that is declared twice, takes
//! a reference to half of a surrogate pair for a character, and does not say which encoding the document claims to have.

use memchr::{memchr, memmem};

use super::super::{Unfit, charset};
use crate::json::{Malformed, Over};

/// Attributes of one element.
const ATTRIBUTES: usize = 256;
/// Declarations of namespaces, in the whole document.
const NAMESPACES: usize = 16_384;
/// Those that an element and the elements around it declare.
const IN_SCOPE: usize = 64;

/// Elements in each other: whoever walks through them takes some of the stack for each.
pub const DEEPEST: usize = 256;

/// What was seen so far.
#[derive(Default)]
struct Seen {
    attributes: usize,
    namespaces: usize,
    /// Declarations in scope, for each element that is open.
    open: Vec<usize>,
}

/// Refuses what the parser is not to see. `most`: attributes in all.
///
/// # Errors
/// `xml`, `values` or `charset`.
pub(super) fn check(text: &str, most: usize) -> Result<(), Unfit> {
    let bytes = text.as_bytes();
    let mut seen = Seen::default();
    let mut at = 0;
    let begin = if text.starts_with('\u{feff}') { 3 } else { 0 };
    while let Some(found) = memchr(b'<', &bytes[at..]) {
        check_references(&text[at..at + found])?;
        at += found;
        let rest = &bytes[at..];
        at += match rest {
            [b'<', b'!', b'-', b'-', ..] => end(rest, b"-->")?,
            [b'<', b'!', b'[', ..] => end(rest, b"]]>")?,
            [b'<', b'!', ..] => return Err(broken("has a document type")),
            [b'<', b'/', ..] => {
                seen.open.pop();
                end(rest, b">")?
            }
            [b'<', b'?', ..] => {
                let end = end(rest, b"?>")?;
                check_instruction(&text[at..at + end], bytes, at == begin)?;
                end
            }
            _ => {
                let length = seen.tag(rest, most)?;
                check_references(&text[at..at + length])?;
                length
            }
        };
    }
    Ok(())
}

/// Bytes up to the end of that text.
fn end(rest: &[u8], text: &[u8]) -> Result<usize, Unfit> {
    memmem::find(rest, text).map(|at| at + text.len()).ok_or(broken("cannot be read"))
}

impl Seen {
    /// Bytes of a tag, whose attributes are counted.
    fn tag(&mut self, rest: &[u8], most: usize) -> Result<usize, Unfit> {
        let (mut attributes, mut declared, mut begin, mut at) = (0, 0, 1, 1);
        let mut is_default_seen = false;
        while let Some(byte) = rest.get(at) {
            match byte {
                b'>' => {
                    self.end_of_tag(attributes, declared, rest[at - 1] == b'/', most)?;
                    return Ok(at + 1);
                }
                b'=' => {
                    let name = rest[begin..at].trim_ascii();
                    attributes += 1;
                    declared += usize::from(name.starts_with(b"xmlns"));
                    if name == b"xmlns" && std::mem::replace(&mut is_default_seen, true) {
                        return Err(broken("declares a namespace twice"));
                    }
                }
                b'"' | b'\'' => {
                    at += 1 + memchr(*byte, &rest[at + 1..]).ok_or(broken("cannot be read"))?;
                    begin = at + 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' if rest.get(at + 1).is_some_and(|next| !next.is_ascii_whitespace() && *next != b'=') => {
                    begin = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        Err(broken("cannot be read"))
    }

    fn end_of_tag(&mut self, attributes: usize, declared: usize, is_empty: bool, most: usize) -> Result<(), Unfit> {
        self.attributes += attributes;
        self.namespaces += declared;
        let in_scope = self.open.last().copied().unwrap_or(0) + declared;
        if attributes > ATTRIBUTES || in_scope > IN_SCOPE || self.namespaces > NAMESPACES {
            return Err(broken("has too many attributes or namespaces"));
        }
        if self.attributes > most {
            return Err(Unfit::new("values", "has too many values"));
        }
        if !is_empty {
            if self.open.len() >= DEEPEST {
                return Err(Unfit::of(Malformed::Over(Over::Depth), "xml"));
            }
            self.open.push(in_scope);
        }
        Ok(())
    }
}

/// Refuses a reference to a number that is no character (XML 1.0 §4.1), in a text or a tag.
fn check_references(text: &str) -> Result<(), Unfit> {
    for at in memmem::find_iter(text.as_bytes(), b"&#") {
        let (number, _) = text[at + 2..].split_once(';').ok_or(broken("cannot be read"))?;
        let number = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        if number.ok().and_then(char::from_u32).is_none() {
            return Err(broken("refers to a character that there is not"));
        }
    }
    Ok(())
}

/// Checks what an XML declaration says of the document (XML 1.0 §2.8). It stands at the beginning, and no other instruction has a name like it.
fn check_instruction(instruction: &str, bytes: &[u8], is_first: bool) -> Result<(), Unfit> {
    let target = instruction[2..].split(|c: char| c.is_ascii_whitespace() || c == '?').next().unwrap_or_default();
    if !target.eq_ignore_ascii_case("xml") {
        return Ok(());
    }
    let Some(declared) = instruction.strip_prefix("<?xml").filter(|_| is_first) else {
        return Err(broken("has an XML declaration that is none"));
    };
    if let Some(version) = pseudo_attribute(declared, "version")
        && version != "1.0"
    {
        return Err(broken("is not XML 1.0"));
    }
    pseudo_attribute(declared, "encoding").map_or(Ok(()), |label| charset::check_label(label, bytes))
}

fn pseudo_attribute<'t>(declared: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = declared.split_once(name)?;
    let quoted = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    quoted[1..].split_once(quote).map(|(value, _)| value)
}

fn broken(says: &'static str) -> Unfit {
    Unfit::new("xml", says)
}
