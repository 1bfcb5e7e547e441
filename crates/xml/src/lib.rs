//! JSON to XML and back, by the `xml` objects of a schema or as the reference product does it.
//!
//! [`ToXml`] and [`ToJson`] are made at load. They take any bytes: what they read is held to the strict grammar of its notation and to
//! [`Limits`], and what they write is well-formed, within a size that is known before. XML has no document type, no entities of its own and
//! no encoding but UTF-8; numbers of JSON keep their digits.
//!
//! What it does not protect against: a body that does not fit the schema. A text that is no number stays a string where the schema has a
//! number, and the filter `validate` refuses it.

mod broken;
mod flat;
mod json;
mod names;
mod own;
mod scope;
mod text;
mod to_json;
mod to_xml;
mod wso2;

use std::sync::Arc;

use tollgate_validation::{Library, Shape, json as strict, rules::SchemaNumber, xml::Plan};

pub use self::{
    broken::{Broken, Why},
    to_json::ToJson,
    to_xml::{ToXml, Unusable},
};

/// Which JSON stands for which XML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Convention {
    /// By the `xml` objects of the schema (OpenAPI 3.2, XML Object). What the schema does not name: members are elements, items of a list
    /// are elements of the same name, `@name` is an attribute, `#text` the text beside elements, `{namespace}name` an element of a namespace
    /// of its own, and every text is a string.
    #[default]
    Schema,
    /// As `xmlutils:fromJSON` and `jsonutils:fromXML` of the reference product do it, whatever the schema says.
    Wso2,
}

/// What a body may have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the value, in either notation. More levels than [`DEEPEST`] are never read.
    pub value: strict::Limits,
    /// Bytes that are written: a short name may stand for many elements of a long one.
    pub output: usize,
}

/// Arrays and objects in each other, or elements with elements in them, whatever the limits allow.
pub const DEEPEST: usize = 128;

impl Default for Limits {
    fn default() -> Self {
        Self { value: strict::Limits { depth: DEEPEST, ..strict::Limits::default() }, output: 8 << 20 }
    }
}

impl Limits {
    fn value(&self) -> strict::Limits {
        strict::Limits { depth: self.value.depth.min(DEEPEST), ..self.value }
    }
}

/// How bodies are converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which JSON stands for which XML.
    pub convention: Convention,
    /// The outermost element, where the schema names none.
    pub root: String,
    /// The items of a list that is the whole value, where the schema names none.
    pub item: String,
    /// What a body may have at most.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { convention: Convention::default(), root: "root".to_owned(), item: "item".to_owned(), limits: Limits::default() }
    }
}

/// What a schema says of names, places and types. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hints(Arc<Plan>);

impl Hints {
    /// Of the schema of that number; of none, nothing is said.
    ///
    /// # Errors
    /// An `xml` object that cannot be followed.
    pub fn of(library: &Library, schema: Option<SchemaNumber>) -> Result<Self, String> {
        Plan::compile(Shape::of(library, schema)).map(|plan| Self(Arc::new(plan)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
