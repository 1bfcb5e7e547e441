//! One segment of a path template, and what it matches.

use tollgate_filter_api::Reason;

use super::normal;
use crate::config::{Keep, Paths};

/// A segment of a template. The order of the variants is the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this text, in normal form.
    Literal(Box<str>),
    /// Text and parameters mixed.
    Partial(Partial),
    /// Any one segment.
    Parameter,
    /// `*` at the end of a template: the rest of the path.
    Rest,
}

/// A segment such as `{id}.json`: literals, with a parameter of at least one byte between each two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partial {
    /// At least two; first and last may be empty.
    literals: Vec<Box<str>>,
}

impl Segment {
    pub(super) fn parse(text: &str, last: bool) -> Result<Self, String> {
        if text == "*" {
            return if last { Ok(Self::Rest) } else { Err("`*` stands for the rest of a path and is only possible at its end".into()) };
        }
        let literals = literals(text)?;
        match literals.as_slice() {
            [one] if matches!(&**one, "." | "..") => Err(format!("no request can match `{text}`: dot segments are removed")),
            [one] => Ok(Self::Literal(one.clone())),
            [before, after] if before.is_empty() && after.is_empty() => Ok(Self::Parameter),
            _ => Ok(Self::Partial(Partial { literals })),
        }
    }
}

impl Partial {
    /// Longer literals are tried first.
    pub(super) fn weight(&self) -> usize {
        self.literals.iter().map(|literal| literal.len()).sum()
    }

    pub(super) fn matches(&self, segment: &str) -> bool {
        let [first, middle @ .., last] = self.literals.as_slice() else { return false };
        let Some(mut rest) = segment.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else { return false };
        for literal in middle {
            // The parameter before the literal takes one byte at least; normal forms are ASCII.
            let Some(at) = rest.get(1..).and_then(|tail| tail.find(&**literal)) else { return false };
            rest = &rest[1 + at + literal.len()..];
        }
        !rest.is_empty()
    }
}

/// The literals around the parameters of one segment.
fn literals(text: &str) -> Result<Vec<Box<str>>, String> {
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').ok_or_else(|| format!("`{text}` opens a parameter and does not close it"))?;
        literals.push(literal(&rest[..open], text)?);
        rest = &rest[open + close + 1..];
    }
    literals.push(literal(rest, text)?);
    Ok(literals)
}

fn literal(raw: &str, segment: &str) -> Result<Box<str>, String> {
    if raw.contains('}') {
        return Err(format!("`{segment}` closes a parameter that was not opened"));
    }
    let rules = Paths { encoded_slash: Keep::Keep, semicolon: Keep::Keep };
    // Definitions are written in Unicode, targets are not: what is not ASCII, or a space, is what a client's escapes spell.
    let spelt: String = raw.chars().fold(String::with_capacity(raw.len()), |mut spelt, c| {
        match c {
            ' ' => spelt.push_str("%20"),
            _ if c.is_ascii() => spelt.push(c),
            _ => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| spelt.push_str(&format!("%{byte:02X}"))),
        }
        spelt
    });
    let mut text = String::with_capacity(spelt.len());
    normal::escape(spelt.as_bytes(), &rules, &mut text)
        .map_err(|reason: &Reason| format!("no request can match `{segment}`: {}", reason.title))?;
    Ok(text.into())
}
