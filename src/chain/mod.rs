//! Check a chain, build it, run it. Filters are known by their contract only.
//!
//! Per operation one chain is built at load: the operator's list gives order and defaults, the Plan gives the operation's own
//! settings, merged as data before decoding. What an operation demands and the list does not offer, a need that no earlier
//! filter gives, a filter nobody knows: each is a problem that names both places, and nothing starts.
//!
//! This does not protect against a filter that decides wrongly, or that never ends.

mod alternatives;
mod answers;
mod attempts;
mod build;
mod grpc;
mod inputs;
mod opened;
mod origins;
mod reasons;
mod render;
mod run;
mod settings;
mod steps;

pub use answers::Covered;
pub use attempts::{Explanation, Failure};
pub use build::build;
pub use grpc::GrpcStatus;
pub use inputs::Inputs;
pub use opened::{Waived, waived};
pub use origins::{Written, nearest};
pub use reasons::{GATEWAY_REASONS, gateway};
pub use render::{Mention, Rendered, render, render_fault, undecided};
pub use run::{Run, Verdict};
pub use steps::Chain;

#[cfg(test)]
mod tests;
