//! What is wrong with a message, in words that repeat nothing of it.

use std::borrow::Cow;

use serde_json::{Value, json};

/// Most findings that are told of one message.
pub const MOST: usize = 32;

/// The part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A parameter of the path.
    Path,
    /// A parameter of the query.
    Query,
    /// A field.
    Header,
    /// A cookie.
    Cookie,
    /// The body.
    Body,
    /// The status of an answer.
    Status,
}

impl Part {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Body => "body",
            Self::Status => "status",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// In which part.
    pub part: Part,
    /// The name of the parameter, when the definition has it; never one that only the client has.
    pub name: Option<Cow<'static, str>>,
    /// JSON Pointer to the value; what only the client named is a `*`.
    pub pointer: String,
    /// The keyword, or the rule of ours.
    pub rule: Cow<'static, str>,
    /// What was expected.
    pub says: Cow<'static, str>,
    /// Where the definition says so: `file:line`. For the operator.
    pub source: Option<String>,
}

impl Finding {
    /// A finding about a part as a whole.
    pub fn new(part: Part, rule: impl Into<Cow<'static, str>>, says: impl Into<Cow<'static, str>>) -> Self {
        Self { part, name: None, pointer: String::new(), rule: rule.into(), says: says.into(), source: None }
    }

    /// About the parameter of that name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// About the value there.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = pointer.into();
        self
    }

    /// By this line.
    #[must_use]
    pub fn by(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// As the client gets it.
    pub fn told(&self) -> Value {
        let mut told = json!({ "in": self.part.word() });
        if let Some(name) = &self.name {
            told["name"] = json!(name);
        }
        if self.part == Part::Body || !self.pointer.is_empty() {
            told["pointer"] = json!(self.pointer);
        }
        told["rule"] = json!(self.rule);
        told["detail"] = json!(self.says);
        told
    }
}
