//! One request, from its head to its log line: the engine's phases, the way upstream, the rules for an upstream's answers, and the
//! gateway's own answers. [`judge`](crate::judge) decides what becomes of a request.
//!
//! What outlives a request does not live here.

pub mod answer;
mod attempt;
mod bodies;
mod decide;
pub mod forward;
mod grpc;
mod outcome;
mod patience;
pub mod phases;
mod response_rules;
pub mod state;

#[cfg(test)]
#[path = "tests/served.rs"]
mod served;

#[cfg(test)]
#[path = "tests/live_endpoints.rs"]
mod live_endpoints_tests;
