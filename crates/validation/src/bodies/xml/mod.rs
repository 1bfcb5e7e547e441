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

pub use plan::{Member, Name, Node, NodeNumber, Plan, Role};
pub use read::{document, read};
pub use roxmltree::Document;
pub use scan::DEEPEST;

use super::Unfit;
use crate::json::{Builder, Limits, Malformed, Tree};

/// The value of a body, as a tree.
///
/// # Errors
/// What has no place in it, or a limit.
pub(super) fn tree<'p>(document: &'p Document<'_>, plan: &'p Plan, limits: &Limits) -> Result<Tree<'p>, Unfit> {
    let limits = Limits { depth: limits.depth.min(DEEPEST), ..*limits };
    let mut builder = Builder::new(&limits);
    read(document, plan, &mut builder)?;
    builder.finish().ok_or(Unfit::of(Malformed::Syntax, "xml"))
}
