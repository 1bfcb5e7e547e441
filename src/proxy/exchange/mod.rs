//! One request, from its head to its log line: the engine's phases, the rules for requests and answers, the way upstream, and
//! the gateway's own answers.
//!
//! What outlives a request does not live here.

pub mod admit;
pub mod answer;
mod attempt;
mod decide;
mod forward;
mod outcome;
mod patience;
pub mod phases;
mod response_rules;
pub mod state;
mod whole_body;
