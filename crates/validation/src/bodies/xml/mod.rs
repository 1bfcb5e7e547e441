//! XML, read by the schema: the same document stands for different values under different ones (OpenAPI 3.0 to 3.2, XML Object).
//!
//! It protects against documents of which two readers see different values: a document type, entities of its own, another version, an
//! encoding other than UTF-8, elements of another namespace under a known name, and text, attributes and elements where the schema has no
//! place for them. Those that an object may have count as additional members: an attribute as `@name`, text as `#text`, and what has a
//! namespace of its own as `{namespace}name`.
//!
//! What it does not protect against: an outermost element of any name when the schema gives it none.

mod plan;
mod read;
mod scan;

pub(super) use plan::Plan;
pub(super) use read::{document, tree};
