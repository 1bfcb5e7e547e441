//! jq on JSON texts, within limits of memory and time.
//!
//! The interpreter is jaq, compiled to WebAssembly (`guest/`), because natively it bounds nothing: a program that loops runs for ever, one that
//! multiplies a string takes all memory, and a deeply nested text ends the process. In the sandbox each of them ends its own run.
//!
//! What it protects against: endless programs and inputs, and what jq otherwise reads of its surroundings. There is no environment, no clock,
//! no second input, and `halt`, `debug` and `stderr` are not among the functions.
//!
//! What it does not protect against: a text that is not strict JSON. The interpreter takes comments and `NaN`, and of equal keys the last one; so
//! whoever has a text of a stranger judges it first. Numbers stay as they are written where the program does not compute with them, except
//! that an integer zero loses its sign.

mod error;
mod machine;
mod program;
mod wasi;

pub use error::JqError;
pub use machine::MEMORY;
pub use program::{Limits, Program};
