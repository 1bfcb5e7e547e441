//! Changes to JSON documents: JSON Patch (RFC 6902), Merge Patch (RFC 7396), and removal by pointers with wildcards.
//!
//! A [`Doc`] is opened only where it is changed. What is not touched goes on byte for byte: its numbers keep their digits, its members
//! their order. It expects text that [was read](https://www.rfc-editor.org/rfc/rfc8259) within limits before, without names that stand
//! twice; other text is refused or goes on as it is.

mod doc;
mod merge;
mod number;
mod patch;
mod pointer;
mod remove;
mod value;

pub use doc::{Doc, Failed};
pub use merge::Merge;
pub use patch::Patch;
pub use remove::Remove;
pub use value::{Made, Slots};

#[cfg(test)]
mod tests;
