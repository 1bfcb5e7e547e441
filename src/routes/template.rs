//! One segment of a path template, and what it matches: text as a [`Reading`] has it.

use super::{normal, readings::Reading};
use crate::config::{Keep, Paths};

/// A segment of a template. The order of the variants is the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// Text and parameters mixed.
    Partial(Partial),
    /// Any one segment.
    Parameter,
    /// `*` at the end of a template: the rest of the path.
    Rest,
}

/// A segment such as `{id}.json`: literals, with a parameter of at least one character between each two.
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
        let spelled = literals(text)?;
        if normal::hides_dots(&spelled.join("{}")) {
            return Err(hidden(text));
        }
        let literals = spelled.iter().map(|literal| decoded(literal)).collect::<Result<Vec<_>, _>>()?;
        match literals.as_slice() {
            [one] => Ok(Self::Literal(one.clone())),
            [before, after] if before.is_empty() && after.is_empty() => Ok(Self::Parameter),
            _ => Ok(Self::Partial(Partial { literals })),
        }
    }

    /// The segment without the names of its parameters. No literal holds the controls that stand for what is none.
    fn shape(self) -> String {
        match self {
            Self::Literal(text) => text.into(),
            Self::Partial(partial) => partial.literals.join("\x01"),
            Self::Parameter => "\x01".to_owned(),
            Self::Rest => "\x02".to_owned(),
        }
    }
}

/// A template without the names of its parameters and in one spelling: those of equal shape match the same paths. One that
/// matches nothing is its own shape.
pub fn shape(template: &str) -> String {
    let segment = |text: &str| Segment::parse(text, true).map_or_else(|_| text.to_owned(), Segment::shape);
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
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
            // The parameter before the literal takes one character at least.
            let mut tail = rest.chars();
            let Some(at) = tail.next().and_then(|_| tail.as_str().find(&**literal)) else { return false };
            rest = &tail.as_str()[at + literal.len()..];
        }
        !rest.is_empty()
    }
}

/// The literals around the parameters of one segment, in normal form.
fn literals(text: &str) -> Result<Vec<String>, String> {
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').ok_or_else(|| format!("`{text}` opens a parameter and does not close it"))?;
        literals.push(normal_form(&rest[..open], text)?);
        rest = &rest[open + close + 1..];
    }
    literals.push(normal_form(rest, text)?);
    Ok(literals)
}

/// A segment of a base path, which has no parameters.
///
/// # Errors
/// What is wrong with it.
pub(super) fn literal(segment: &str) -> Result<Box<str>, String> {
    let spelled = normal_form(segment, segment)?;
    if normal::hides_dots(&spelled) { Err(hidden(segment)) } else { decoded(&spelled) }
}

fn hidden(segment: &str) -> String {
    format!("no request can match `{segment}`: dot segments are removed or refused")
}

fn decoded(normal: &str) -> Result<Box<str>, String> {
    Reading::of(normal).map(Reading::into_text).map_err(|rejection| format!("no request can match `{normal}`: {}", rejection.reason.title))
}

fn normal_form(raw: &str, segment: &str) -> Result<String, String> {
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
        .map_err(|rejection| format!("no request can match `{segment}`: {}", rejection.reason.title))?;
    Ok(text)
}
