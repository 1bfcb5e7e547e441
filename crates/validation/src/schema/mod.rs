//! Schemas, compiled: once to decide, and once more to say why when something was refused.
//!
//! The crate `jsonschema` decides. It would collect what every branch of every `oneOf` and `anyOf` has to say, without a memory, which
//! takes seconds for 250 bytes that a recursive union refuses. So what says why has those two keywords replaced (`branches`), and is cut
//! where schemas lead back to themselves (`cycles`). Patterns
//! are bounded in size and in steps; one that does not come to an end refuses.

mod branches;
mod cycles;
mod decides;
mod explain;
mod kept;
mod library;
mod pattern;
mod shape;

pub use library::{Broken, Direction, Library, Schema};
pub use pattern::{PatternFault, pattern_fault};
pub use shape::{Shape, Types};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
