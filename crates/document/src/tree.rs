//! The tree: an arena of nodes, read through [`Node`] handles.
//!
//! Aliases and merge keys share nodes instead of copying them, so the arena is as large as the text; what the text
//! would be when written out in full is bounded separately, by [`Limits`](crate::Limits).

use std::sync::Arc;

use serde_json::{Map, Number, Value};

use crate::Document;

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// `raw` is kept when the number does not print as it was written.
    Number {
        value: Number,
        raw: Option<Box<str>>,
    },
    String(Box<str>),
    Array(Box<[u32]>),
    Object(Object),
}

impl Kind {
    pub(crate) fn number(value: Number, text: &str) -> Self {
        let raw = (value.to_string() != text).then(|| text.into());
        Self::Number { value, raw }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Arc<str>,
    pub line: u32,
    pub node: u32,
}

#[derive(Debug)]
pub(crate) struct Object {
    entries: Box<[Entry]>,
    /// Positions in key order; empty for the many small objects, where a scan is faster.
    sorted: Box<[u32]>,
}

/// Below this many members a scan beats a binary search.
const SCAN: usize = 12;

impl Object {
    /// `sorted` are the positions of `entries` in key order, without duplicates.
    pub(crate) fn new(entries: Vec<Entry>, sorted: Vec<u32>) -> Self {
        let sorted = if entries.len() > SCAN { sorted.into() } else { Box::default() };
        Self { entries: entries.into(), sorted }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn get(&self, key: &str) -> Option<&Entry> {
        if self.sorted.is_empty() {
            return self.entries.iter().find(|e| &*e.key == key);
        }
        let found = self.sorted.binary_search_by(|&i| (*self.entries[i as usize].key).cmp(key)).ok()?;
        Some(&self.entries[self.sorted[found] as usize])
    }
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub kind: Kind,
    pub line: u32,
    /// What the node weighs when written out in full, aliases and all.
    pub weight: u32,
    /// Levels of nesting below and including this node; 0 for a scalar.
    pub height: u16,
}

/// The shape of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`, or nothing at all.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// A map.
    Object,
}

impl Shape {
    /// The word a message uses: "a string", "an object".
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value of a [`Document`], and the line on which it was written.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    document: &'a Document,
    id: u32,
    line: u32,
}

impl PartialEq for Node<'_> {
    /// The same value of the same document, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document, other.document) && self.id == other.id
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(document: &'a Document, id: u32, line: u32) -> Self {
        Self { document, id, line }
    }

    fn slot(&self) -> &'a Slot {
        &self.document.nodes[self.id as usize]
    }

    fn child(&self, entry: &Entry) -> Self {
        Self { document: self.document, id: entry.node, line: entry.line }
    }

    fn item(&self, id: u32) -> Self {
        let line = self.document.nodes[id as usize].line;
        Self { document: self.document, id, line }
    }

    /// The document it belongs to.
    pub fn document(&self) -> &'a Document {
        self.document
    }

    /// Identity within the document. Two aliases of one anchor have the same.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Line from 1: of the key for a member of an object, of the value otherwise.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// What kind of value it is.
    pub fn shape(&self) -> Shape {
        match self.slot().kind {
            Kind::Null => Shape::Null,
            Kind::Bool(_) => Shape::Bool,
            Kind::Number { .. } => Shape::Number,
            Kind::String(_) => Shape::String,
            Kind::Array(_) => Shape::Array,
            Kind::Object(_) => Shape::Object,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&'a str> {
        match &self.slot().kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.slot().kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a number.
    pub fn as_number(&self) -> Option<&'a Number> {
        match &self.slot().kind {
            Kind::Number { value, .. } => Some(value),
            _ => None,
        }
    }

    /// A scalar as it was written: a version `1.10` that YAML takes for a number is still `1.10` here.
    pub fn text(&self) -> Option<String> {
        match &self.slot().kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Number { raw: Some(raw), .. } => Some(raw.to_string()),
            Kind::Number { value, raw: None } => Some(value.to_string()),
            Kind::String(text) => Some(text.to_string()),
            Kind::Null | Kind::Array(_) | Kind::Object(_) => None,
        }
    }

    /// Members of an object, in the order in which they were written; none for anything else.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&'a str, Node<'a>)> + use<'a> {
        let entries: &'a [Entry] = match &self.slot().kind {
            Kind::Object(object) => object.entries(),
            _ => &[],
        };
        let node = *self;
        entries.iter().map(move |e| (&*e.key, node.child(e)))
    }

    /// Items of an array; none for anything else.
    pub fn items(&self) -> impl ExactSizeIterator<Item = Node<'a>> + use<'a> {
        let items: &'a [u32] = match &self.slot().kind {
            Kind::Array(items) => items,
            _ => &[],
        };
        let node = *self;
        items.iter().map(move |&id| node.item(id))
    }

    /// Number of members or items; 0 for a scalar.
    pub fn len(&self) -> usize {
        match &self.slot().kind {
            Kind::Array(items) => items.len(),
            Kind::Object(object) => object.entries().len(),
            _ => 0,
        }
    }

    /// Whether it has neither members nor items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<Node<'a>> {
        match &self.slot().kind {
            Kind::Object(object) => object.get(key).map(|e| self.child(e)),
            _ => None,
        }
    }

    /// An item of an array.
    pub fn item_at(&self, index: usize) -> Option<Node<'a>> {
        match &self.slot().kind {
            Kind::Array(items) => items.get(index).map(|&id| self.item(id)),
            _ => None,
        }
    }

    /// The value below as JSON, aliases written out.
    pub fn value(&self) -> Value {
        match &self.slot().kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number { value, .. } => Value::Number(value.clone()),
            Kind::String(text) => Value::String(text.to_string()),
            Kind::Array(_) => Value::Array(self.items().map(|n| n.value()).collect()),
            Kind::Object(_) => {
                let members = self.entries().map(|(key, node)| (key.to_owned(), node.value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}
