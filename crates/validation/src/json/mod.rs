//! JSON, read once: grammar, limits and names that stand twice in the same pass (RFC 8259).
//!
//! What comes out is a [`Tree`]. It protects against bodies that are deep, long, made of very many parts, or that two readers understand
//! differently: a byte order mark, a name that stands twice, half of a surrogate pair, a number that no double can hold.

mod adapter;
mod parse;
mod sink;
mod tree;

use std::fmt;

pub use adapter::{Item, OurJson};
pub(crate) use parse::number;
pub use parse::{parse, read};
pub use sink::Sink;
pub use tree::{Builder, Tree};

/// Most arrays and objects in each other that a value may have which is held to a schema: more could take all of a thread's stack.
pub const DEEPEST: usize = 256;

/// What a value may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and objects in each other.
    pub depth: usize,
    /// Values of all kinds.
    pub values: usize,
    /// Bytes of a string, or of a name.
    pub string: usize,
    /// Characters of a number.
    pub number: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, values: 100_000, string: 1 << 20, number: 128 }
    }
}

impl Limits {
    /// What they leave to a value within so many others.
    #[must_use]
    pub fn within(&self, levels: usize) -> Self {
        Self { depth: self.depth.saturating_sub(levels), ..*self }
    }
}

/// Which limit was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Arrays and objects in each other.
    Depth,
    /// The number of values.
    Values,
    /// The length of a string or a name.
    String,
    /// The length of a number.
    Number,
}

/// Why a text is no value that could be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is not text in UTF-8.
    Utf8,
    /// It does not have the grammar of its notation.
    Syntax,
    /// A name stands twice in an object.
    Twice,
    /// A number is larger than any that is exchanged (RFC 8259 §6).
    Number,
    /// It passes a limit.
    Over(Over),
}

impl Malformed {
    /// What is wrong, in words of ours alone.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Utf8 => "is not UTF-8",
            Self::Syntax => "cannot be read",
            Self::Twice => "has an object with the same name twice",
            Self::Number => "has a number that is too large",
            Self::Over(Over::Depth) => "is nested too deep",
            Self::Over(Over::Values) => "has too many values",
            Self::Over(Over::String) => "has a string that is too long",
            Self::Over(Over::Number) => "has a number with too many digits",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
