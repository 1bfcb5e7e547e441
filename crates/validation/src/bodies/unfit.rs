//! Why no value could be made of a body.

use std::borrow::Cow;

use crate::{
    finding::{Finding, Part},
    json::{Malformed, Over},
};

/// One reason, before it is known what it is told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    rule: &'static str,
    says: Cow<'static, str>,
    pointer: String,
}

impl Unfit {
    /// About the body as a whole.
    pub(super) fn new(rule: &'static str, says: impl Into<Cow<'static, str>>) -> Self {
        Self { rule, says: says.into(), pointer: String::new() }
    }

    /// What was found while a value was read, or built, in this notation.
    pub(super) fn of(why: Malformed, notation: &'static str) -> Self {
        let rule = match why {
            Malformed::Utf8 => "utf-8",
            Malformed::Syntax => notation,
            Malformed::Twice => "duplicate-name",
            Malformed::Number | Malformed::Over(Over::Number) => "number",
            Malformed::Over(Over::Depth) => "depth",
            Malformed::Over(Over::Values) => "values",
            Malformed::Over(Over::String) => "string",
        };
        Self::new(rule, why.words())
    }

    /// What is wrong, in words that repeat nothing of the body.
    pub fn words(&self) -> &str {
        &self.says
    }

    /// About a place within what it was about.
    #[must_use]
    pub(super) fn below(mut self, pointer: &str) -> Self {
        self.pointer.insert_str(0, pointer);
        self
    }

    /// What is wrong, in words of ours alone.
    pub(super) fn says(self) -> Cow<'static, str> {
        self.says
    }

    /// As it is told.
    pub(super) fn finding(self, part: Part) -> Finding {
        Finding::new(part, self.rule, self.says).at(self.pointer)
    }
}
