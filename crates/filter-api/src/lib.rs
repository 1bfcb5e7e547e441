//! The contract.
mod problem;
pub use problem::{Problem, Problems, Severity};
