//! Host of [proxy-wasm](https://github.com/proxy-wasm/spec) ABI 0.2.1: runs filters that were written for Envoy.
//!
//! A [`Program`] is a module with its configuration; a [`Vm`] is one instance of it, which one request has from its head to its end. Heads
//! move into the VM and out again; nothing here opens a socket or waits. A call that a guest makes is queued ([`Vm::take_calls`]), and whoever
//! runs the VM makes it and hands the answer in.
//!
//! What it protects against: what a guest writes into a head is legal, frames nothing and speaks for nobody else, or ends the callback as
//! [`Broken`]. What a guest says is cut and escaped. Everything that it can have of the host is bounded. What it does not protect against: a
//! guest that reads credentials, since it sees the head as it came.
//!
//! Status codes: the Rust SDK panics on a status that it does not list for a function, and it lists none for a write that is refused. So a
//! refused write is noted, the guest is told that all is well, and the callback ends as [`Broken`] with the field and the rule.

mod abi;
mod broken;
mod fields;
mod host;
mod meters;
mod program;
mod shared_data;
mod vm;
mod wire;
mod words;

pub use broken::{Broken, Kind};
pub use host::{CallAnswer, LocalAnswer, QueuedCall};
pub use program::{LoadProblem, Program, Settings, Taken};
pub use vm::{Next, Vm};
