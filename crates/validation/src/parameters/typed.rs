//! A text as the narrowest of the types that it may have.

use std::borrow::Cow;

use super::wanted::Scalars;
use crate::json::{Builder, Limits, Malformed, Tree, number};

/// A text with its type.
pub(super) enum Typed<'r> {
    Bool(bool),
    Number(Cow<'r, str>),
    Text(Cow<'r, str>),
}

impl<'r> Typed<'r> {
    /// `strings`: whatever may be a string is one.
    pub(super) fn of(text: Cow<'r, str>, scalars: Scalars, strings: bool) -> Self {
        if strings && scalars.string {
            return Self::Text(text);
        }
        let is_number = (scalars.number && has_grammar(&text)) || (scalars.integer && is_integer(&text));
        match &*text {
            "true" if scalars.boolean => Self::Bool(true),
            "false" if scalars.boolean => Self::Bool(false),
            _ if is_number => Self::Number(text),
            _ => Self::Text(text),
        }
    }

    /// As a value of its own. Allocates nothing.
    pub(super) fn tree(self, limits: &Limits) -> Result<Tree<'r>, Malformed> {
        match self {
            Self::Bool(value) => Ok(Tree::of_bool(value)),
            Self::Number(text) => Tree::of_number(&text, limits),
            Self::Text(text) => Tree::of_text(text, limits),
        }
    }

    /// As the next value.
    pub(super) fn put(self, builder: &mut Builder<'r, '_>) -> Result<(), Malformed> {
        match self {
            Self::Bool(value) => builder.bool(value),
            Self::Number(text) => builder.number(&text),
            Self::Text(text) => builder.string(text),
        }
    }
}

/// `-?(0|[1-9]\d*)`: `1.0` and `1e3` are integers to JSON Schema, but not to those who read parameters.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    digits.iter().all(u8::is_ascii_digit) && matches!(digits, [b'0'] | [b'1'..=b'9', ..])
}

/// A number of RFC 8259 §6.
fn has_grammar(text: &str) -> bool {
    number(text.as_bytes()) == Some(text.len())
}
