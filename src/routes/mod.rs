//! Request target to operation: pure functions over text, no I/O.
//!
//! Protects against two readings of one target: [`normal`] and [`host`] give the one form that routing, policy keys, logs
//! and the upstream share, and refuse what has no such form. [`router`] answers from tables that are built once, and never
//! forwards what no template matches. Does not protect against upstreams that decode twice or fold case: what is kept
//! encoded here reaches them encoded.

pub mod host;
pub mod normal;
pub mod router;
mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use router::{Found, Router};
