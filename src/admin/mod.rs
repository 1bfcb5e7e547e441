//! The operator's port: health, metrics, what is running, reload.
//!
//! It has no authentication; by default it listens on loopback only. It protects itself against web pages that a browser on
//! the same machine was lured to: a `Host` that is not the port's own is refused (DNS rebinding), and so is a reload that
//! carries an `Origin`. Bodies are bounded, every request has a deadline, and connections are counted. It does not protect
//! against other users of the machine, nor against those who can reach it when it is `public`.

mod answer;
mod hosts;
mod server;

use std::{future::Future, pin::Pin};

pub use answer::{AdminResponse, handle};
pub use hosts::Hosts;
use serde_json::Value;
pub use server::serve;
use tollgate_filter_api::Problems;

/// A future that owns what it needs.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the port may ask of the gateway.
pub trait AdminView: Send + Sync {
    /// What is missing before traffic may come; empty when ready.
    fn ready(&self) -> Vec<String>;
    /// Every series, in the text format of Prometheus.
    fn metrics(&self) -> String;
    /// The running Plan.
    fn plan(&self) -> Value;
    /// Digest, signers, inputs, generation, waivers.
    fn artifact(&self) -> Value;
    /// How fresh the list of what was revoked is.
    fn revocation(&self) -> Value;
    /// Puts revocations in force and says the receipt.
    fn revoke(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>>;
    /// How many counters there are, and who uses most.
    fn quotas(&self) -> Value;
    /// The endpoint groups, how their endpoints do, and since when.
    fn upstreams(&self) -> Value;
    /// What traffic has used of the definitions, and what was found wrong.
    fn coverage(&self) -> Value;
    /// Who is blocked at run time.
    fn blocks(&self) -> Value;
    /// Blocks callers and lets others go, and says how many there are.
    fn change_blocks(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>>;
    /// Puts the next configuration to use and says its generation, or keeps the old one and says why.
    fn reload(&self) -> BoxFuture<'_, Result<u64, Problems>>;
}

/// Why what was asked for is not in force. Each has a sentence for the one who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRefused {
    /// It cannot be understood.
    Bad(String),
    /// There is no room for it, in memory or on the disk.
    Full(String),
    /// It cannot be kept at present.
    Unavailable(String),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
