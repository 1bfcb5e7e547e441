//! Request target to operation: pure functions over text, no I/O.
//!
//! Protects against two readings of one target: [`normal`] and [`host`] give the one form that policy keys, logs and the
//! upstream share, and refuse what has no such form. [`router`] compares what that form says once decoded ([`readings`]),
//! answers from tables that are built once, and never forwards what no template matches. Does not protect against upstreams
//! that decode twice, fold case, compose Unicode or drop dots and spaces at the end of a name: what is kept here reaches them.

mod conditions;
mod guards;
pub mod host;
pub mod normal;
pub mod readings;
mod rejection;
pub mod router;
mod spaces;
mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod tree;
mod witness;

pub use conditions::Asked;
pub use readings::Reading;
pub use rejection::Rejection;
pub use router::{Route, Router};
pub use template::shape;
pub use witness::shadowed;
