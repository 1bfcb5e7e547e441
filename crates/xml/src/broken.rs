//! Why a body cannot be converted.

use std::fmt;

use tollgate_validation::{Unfit, json::Malformed};

/// Characters of each name in a pointer.
const SHOWN: usize = 64;

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub why: Why,
    at: Vec<String>,
}

/// What is wrong with a body, in words that repeat nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is not JSON, or passes a limit.
    #[error("{0}")]
    Json(Malformed),
    /// It is not XML that can be read in one way only, or passes a limit.
    #[error("{0}")]
    Xml(String),
    /// A member would be an element or an attribute of a name that there cannot be (XML 1.0 §2.3).
    #[error("has a name that is none in XML")]
    Name,
    /// A string has a character that no document can hold (XML 1.0 §2.2).
    #[error("has a character that XML cannot hold")]
    Character,
    /// An attribute or a text would have members or items.
    #[error("has an object or an array where only an attribute or a text can be")]
    Structured,
    /// Two members would be the same attribute or the same element.
    #[error("has two members that are one in XML")]
    Clash,
    /// An element would have more attributes than anybody reads.
    #[error("has too many attributes")]
    Attributes,
    /// The value would have several outermost elements, or none.
    #[error("would have no outermost element, or several: a document has one")]
    Roots,
    /// Elements of one name among others, of which the reference product keeps the last.
    #[error("repeats an element among others, of which only the last would remain")]
    Overwritten,
    /// What comes out is larger than the limit.
    #[error("would become too large")]
    Large,
}

impl Broken {
    /// JSON Pointer (RFC 6901) to what is wrong, for the log: it repeats names of the body, shortened, and no values. Empty for the whole.
    pub fn pointer(&self) -> String {
        let escaped = |name: &String| name.replace('~', "~0").replace('/', "~1");
        self.at.iter().rev().flat_map(|name| ["/".to_owned(), escaped(name)]).collect()
    }

    /// Within a member or an item of that name.
    #[must_use]
    pub(crate) fn below(mut self, name: impl fmt::Display) -> Self {
        let name = name.to_string();
        let shown: String = name.chars().take(SHOWN).collect();
        self.at.push(if shown.len() < name.len() { shown + "…" } else { name });
        self
    }
}

impl From<Why> for Broken {
    fn from(why: Why) -> Self {
        Self { why, at: Vec::new() }
    }
}

impl From<Malformed> for Broken {
    fn from(why: Malformed) -> Self {
        Why::Json(why).into()
    }
}

impl From<Unfit> for Broken {
    fn from(why: Unfit) -> Self {
        Why::Xml(why.words().to_owned()).into()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl std::error::Error for Broken {}
