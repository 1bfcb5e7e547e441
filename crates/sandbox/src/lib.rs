//! Runs WebAssembly of strangers within limits of memory and time.
//!
//! What it protects against: a module that loops, allocates, recurses or traps harms the call that ran it, and no other. Memory is bounded by
//! a [`Limits::memory`] that no guest grows past, time by a [`Budget`] for each call, and an instance that trapped is never called again: its
//! stack pointer was not unwound. A guest has nothing but the functions that its host defines.
//!
//! What it does not protect against: a guest that answers wrongly, and what it tells the next caller by the same instance. Machine code
//! that was compiled elsewhere is believed ([`CodeBook`]).

mod code;
mod engine;
mod instance;
mod module;
mod pool;
mod ticker;

#[cfg(feature = "compiler")]
pub use code::precompile;
pub use code::{CodeBook, Vouched, host_target};
pub use engine::{Limits, Sandbox, StartError};
pub use instance::{Budget, Guest, Instance, NotMade, Stopped, Why};
pub use module::{LoadError, Module, digest};
pub use pool::{Offer, Permit, Pool, Resident};
pub use wasmtime;

/// Memory that an instance has at most unless settings say otherwise. Machine code is made for one limit.
pub const MEMORY: usize = 16 << 20;
