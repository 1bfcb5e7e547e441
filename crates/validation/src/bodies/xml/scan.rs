//! A look at the tags of a document before a tree is made of it.
//!
//! The parser compares each attribute with all others of its element, and copies the namespaces that are in scope wherever one is
//! declared: a few megabytes of them would take it minutes and gigabytes. It does not see a default namespace that is declared twice, nor
//! does it say which encoding the document claims to have.

use memchr::{memchr, memmem};

use super::super::{Unfit, charset};

/// Attributes of one element.
const ATTRIBUTES: usize = 256;
/// Declarations of namespaces, in the whole document.
const NAMESPACES: usize = 16_384;
/// Those that an element and the elements around it declare.
const IN_SCOPE: usize = 64;

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
    while let Some(found) = memchr(b'<', &bytes[at..]) {
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
                check_declaration(&text[at..at + end], bytes)?;
                end
            }
            _ => seen.tag(rest, most)?,
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
            self.open.push(in_scope);
        }
        Ok(())
    }
}

/// Checks what an XML declaration says of the document (XML 1.0 §2.8); other instructions say nothing of it.
fn check_declaration(instruction: &str, bytes: &[u8]) -> Result<(), Unfit> {
    let Some(declared) = instruction.strip_prefix("<?xml").filter(|rest| rest.starts_with(char::is_whitespace)) else { return Ok(()) };
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
