//! Why texts are no value, in words of ours alone.

use crate::json::{Malformed, Over};

/// Why texts are no value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrong {
    pub rule: &'static str,
    pub says: &'static str,
}

pub(super) const MISSING: Wrong = Wrong { rule: "required", says: "is missing" };
pub(super) const REPEATED: Wrong = Wrong { rule: "repeated", says: "is there more than once" };
pub(super) const ENCODING: Wrong = Wrong { rule: "encoding", says: "has an escape that is broken, or is not UTF-8" };
pub(super) const DOT: Wrong = Wrong { rule: "style", says: "must begin with `.`" };
pub(super) const MATRIX: Wrong = Wrong { rule: "style", says: "must begin with `;` and its name" };
pub(super) const TURNS: Wrong = Wrong { rule: "style", says: "must be names and values in turn" };
pub(super) const PAIRS: Wrong = Wrong { rule: "style", says: "must be pairs of name and value, with `=` between them" };
pub(super) const MEMBERS: Wrong = Wrong { rule: "style", says: "must be given member by member, as in `name[member]=value`" };
pub(super) const UNDEFINED: Wrong = Wrong { rule: "style", says: "cannot be read: its style says nothing of such a value" };

impl From<Malformed> for Wrong {
    fn from(why: Malformed) -> Self {
        let rule = match why {
            Malformed::Utf8 => ENCODING.rule,
            Malformed::Syntax => "json",
            Malformed::Twice => "duplicate-name",
            Malformed::Number | Malformed::Over(Over::Number) => "number",
            Malformed::Over(Over::Depth) => "depth",
            Malformed::Over(Over::Values) => "values",
            Malformed::Over(Over::String) => "string",
        };
        Self { rule, says: why.words() }
    }
}
