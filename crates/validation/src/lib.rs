//! Holds requests and answers to what a definition says of them.
//!
//! [`rules`] is what the compiler writes into the Plan. [`Library`] compiles its schemas, [`json::parse`] reads a body within limits, and
//! what is wrong comes out as [`Finding`]s, which repeat no value and no name that only the client knows.
//!
//! What it does not protect against: an upstream that reads a message in another way than its standard says.

mod bodies;
pub mod coverage;
mod finding;
pub mod json;
pub mod ledger;
pub mod parameters;
pub mod rules;
mod schema;
mod status;

pub use bodies::{Bodies, BodyLimits, Unfit, Which, decoded, xml};
pub use finding::{Finding, MOST, Part};
pub use schema::{Broken, Direction, Library, PatternFault, Schema, Shape, Types, pattern_fault};
pub use status::Status;
