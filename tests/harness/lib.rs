//! What the black-box tests share: the real binary, a recording upstream, clients that send exactly the bytes they are told.
//!
//! Threads and blocking sockets, no HTTP library: what is sent and received here is judged byte by byte, so nothing may
//! mend it on the way. Everything listens on a port that the system chose, and every wait is for a condition with a deadline.

#![allow(clippy::unwrap_used, missing_docs)]

pub mod client;
pub mod command;
pub mod dns;
pub mod fleet;
pub mod gateway;
pub mod h2;
pub mod h2_upstream;
pub mod hello;
pub mod jwk;
pub mod ledger;
pub mod message;
pub mod oauth;
pub mod parts;
pub mod ports;
pub mod project;
pub mod resuming;
pub mod revoking;
pub mod signer;
pub mod token;
pub mod traffic;
pub mod upstream;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use client::{Client, Response, get, send};
pub use command::{Ran, tollgate};
pub use fleet::Fleet;
pub use gateway::{Gateway, Ports, Settings};
pub use message::Message;
pub use project::Project;
pub use resuming::{Call, Called, Resuming};
pub use revoking::Revoking;
pub use tollgate_testkit::{Folder, certificates, forms};
pub use traffic::TrafficManager;
pub use upstream::{Reply, Upstream};

/// How long a condition may take to become true on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is there.
///
/// # Panics
/// When it is not there in time; `what` says what was waited for.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub use tollgate_testkit::shared_case as shared_cases;
