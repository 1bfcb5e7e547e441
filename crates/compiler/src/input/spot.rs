//! A node of a document and the way to it.

use serde_json::Value;
use tollgate_document::{Node, Shape, pointer};
use tollgate_filter_api::Problem;
use tollgate_plan::Source;

/// A node with its file and its JSON Pointer.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'a> {
    pub file: usize,
    pub node: Node<'a>,
    pub pointer: String,
}

impl<'a> Spot<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key)?;
        Some(Self { file: self.file, node, pointer: pointer::join(&self.pointer, key) })
    }

    /// The text of a member, when it is a scalar.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.node.get(key)?.text()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'_, 'a> {
        self.node.entries().map(|(key, node)| (key, Self { file: self.file, node, pointer: pointer::join(&self.pointer, key) }))
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Self> + use<'_, 'a> {
        self.node.items().enumerate().map(|(index, node)| Self { file: self.file, node, pointer: format!("{}/{index}", self.pointer) })
    }

    pub(crate) fn is(&self, shape: Shape) -> bool {
        self.node.shape() == shape
    }

    pub(crate) fn value(&self) -> Value {
        self.node.value()
    }

    pub(crate) fn source(&self) -> Source {
        Source { document: u32::try_from(self.file).unwrap_or(u32::MAX), line: self.node.line(), pointer: self.pointer.clone() }
    }

    /// `file:line`.
    pub(crate) fn written(&self) -> String {
        format!("{}:{}", self.node.document().name(), self.node.line())
    }

    pub(crate) fn error(&self, code: &'static str, message: impl Into<String>) -> Problem {
        self.place(Problem::error(code, message))
    }

    pub(crate) fn warning(&self, code: &'static str, message: impl Into<String>) -> Problem {
        self.place(Problem::warning(code, message))
    }

    pub(crate) fn place(&self, problem: Problem) -> Problem {
        problem.at(self.node.document().name(), self.node.line(), self.pointer.clone())
    }
}
