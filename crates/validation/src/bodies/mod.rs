//! Whole bodies, held to what a definition says of their media type.
//!
//! [`Bodies::which`] needs the head of a message alone: it tells which of the declared media types the body has, and whether the body is
//! worth being held. [`Bodies::judge`] takes the bytes as they came, in any coding that is known here, and makes of them the value that the
//! schema is about, whatever the notation.
//!
//! It protects against bodies that say something else to the next reader: codings, charsets and names that stand twice are read strictly or
//! refused. What it does not protect against: what is in a body whose notation is not known here, such as an image. That is accepted as
//! it is when its type is declared.

mod charset;
mod coding;
mod declared;
mod events;
mod form;
mod items;
mod media;
mod plain;
mod readers;
mod typed;
mod unfit;
pub mod xml;

use std::borrow::Cow;

pub use self::unfit::Unfit;
use self::{
    declared::{Declared, Message},
    media::Notation,
};
use crate::{
    finding::{Finding, Part},
    json::{self, Tree},
    rules::MediaRule,
    schema::{Broken, Direction, Library, Schema, Types},
};

/// What a body may have at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Of the value that is read from it.
    pub json: json::Limits,
    /// Bytes, once its `Content-Encoding` is off.
    pub decoded: usize,
    /// Bytes that one byte may become when its `Content-Encoding` is taken off. 64 KiB are always allowed.
    pub ratio: usize,
    /// Parts of a multipart body.
    pub parts: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { json: json::Limits::default(), decoded: 8 << 20, ratio: 100, parts: 1_000 }
    }
}

/// A body without its `Content-Encoding`.
///
/// # Errors
/// What is wrong with it, in words of ours alone.
pub fn decoded<'a>(bytes: &'a [u8], field: Option<&str>, limits: &BodyLimits) -> Result<Cow<'a, [u8]>, Cow<'static, str>> {
    coding::decoded(bytes, field, limits).map_err(Unfit::says)
}

/// What the bodies of an operation's requests, or of one of its answers, may be.
#[derive(Debug)]
pub struct Bodies {
    /// The most precise first.
    declared: Vec<Declared>,
    /// What they may be, in words.
    expected: String,
}

/// Which media type a message has, of those that are declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    declared: usize,
    rule: usize,
    notation: Notation,
    is_judged: bool,
}

impl Which {
    /// Whether something is said of the body that can be judged. If not, nobody needs to hold it.
    pub fn is_judged(self) -> bool {
        self.is_judged
    }

    /// Its place among the rules.
    pub fn rule(self) -> usize {
        self.rule
    }
}

impl Bodies {
    /// Makes ready what is declared.
    ///
    /// # Errors
    /// What is no media type, or has a schema that cannot be compiled.
    pub fn compile(rules: &[MediaRule], library: &Library, direction: Option<Direction>) -> Result<Self, Broken> {
        let compiled = rules.iter().enumerate().map(|(place, rule)| Declared::compile(place, rule, library, direction));
        let mut declared = compiled.collect::<Result<Vec<_>, _>>()?;
        declared.sort_by_key(|one| std::cmp::Reverse(one.range.precision()));
        let ranges: Vec<&str> = rules.iter().map(|rule| rule.range.as_str()).collect();
        Ok(Self { declared, expected: format!("must be {}", ranges.join(" or ")) })
    }

    /// Which of the declared media types a message has. Parameters are compared only between two that differ in nothing else. `None` when it
    /// has none of them, or no `Content-Type` that can be read: [`Bodies::undeclared`] says so.
    ///
    /// A message without `Content-Type` has only what is declared as `*/*`. And what has a notation that is not known here is in a range
    /// only when the schema of that range allows a string, which is all that it could be.
    pub fn which(&self, content_type: Option<&str>) -> Option<Which> {
        let (kind, subtype) = content_type.map_or(Some(("", "")), media::essence)?;
        let notation = Notation::of(kind, subtype);
        let mut fitting = self.declared.iter().enumerate().filter(|(_, one)| one.range.has(kind, subtype)).peekable();
        let first = *fitting.peek()?;
        let (declared, found) = if first.1.range.has_parameters_at_all() {
            let sent = media::parameters(content_type.unwrap_or_default()).unwrap_or_default();
            let mut rivals = fitting.take_while(|(_, one)| one.range.precision().0 == first.1.range.precision().0);
            rivals.find(|(_, one)| one.range.has_parameters(&sent)).unwrap_or(first)
        } else {
            first
        };
        if found.range.is_wide() && notation == Notation::Opaque && !found.types.has(Types::STRING) {
            return None;
        }
        Some(Which { declared, rule: found.place, notation, is_judged: found.is_judged(notation) })
    }

    /// What is to be said of a message whose media type is not declared; its rule is `content-type`.
    pub fn undeclared(&self, part: Part) -> Finding {
        Finding::new(part, "content-type", self.expected.clone())
    }

    /// What is wrong with a body; nothing when it is as declared.
    ///
    /// `content_type` is the one that [`Bodies::which`] was asked about, `content_encoding` the field with all its lines joined by commas,
    /// and `bytes` is the body as it came. Beside those of the schema, findings have these rules: `content-type`, `content-encoding` and
    /// `charset` for what is not accepted here, `encoding` for what cannot be decompressed, `size` for what is too large once it is, `utf-8`,
    /// `json`, `xml`, `form`, `multipart` and `events` for what does not have its notation, `duplicate-name`, `number`, `depth`, `values`,
    /// `string` and `parts`. `seen` is called with a whole value that fits, and its schema.
    #[allow(clippy::too_many_arguments)]
    pub fn judge(
        &self,
        which: Which,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        bytes: &[u8],
        limits: &BodyLimits,
        part: Part,
        seen: &dyn Fn(&Schema, &Tree<'_>),
    ) -> Vec<Finding> {
        let Some(declared) = self.declared.get(which.declared).filter(|_| which.is_judged) else { return Vec::new() };
        let message = Message {
            notation: which.notation,
            content_type: content_type.unwrap_or_default(),
            content_encoding,
            bytes,
            limits,
            part,
            seen,
        };
        declared.judge(&message).unwrap_or_else(|unfit| vec![unfit.finding(part).by(declared.source.clone())])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
