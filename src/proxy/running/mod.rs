//! The configuration in force: how one is built and checked as a whole, and how the next one takes its place.
//!
//! What can refuse a configuration because of its operations has a file of its own here. Nothing in this room is asked to do
//! anything for a single request but to hand out the current snapshot.

mod client_certificates;
mod coverage;
mod discovered;
mod faults;
mod fixed;
pub mod gateway;
mod show;
pub mod snapshot;
