//! Whether traffic may come, and what it waits for.
//!
//! A gateway that takes traffic before it has its issuers' keys, or knows what was revoked, answers it with 503. So it is ready when all
//! of that was there once. Afterwards it is ready until it stops: were it to follow its issuers, an outage of one of them would take every
//! gateway out of service, also for the clients of all others. What an introspection endpoint is asked is asked for each request; there
//! is nothing to wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::proxy::running::gateway::Gateway;

/// How far the gateway has come.
#[derive(Default)]
pub struct Ready {
    /// The listeners are open.
    listening: AtomicBool,
    /// Nothing was missing, once.
    reached: AtomicBool,
    /// A stop has begun.
    draining: AtomicBool,
}

impl Ready {
    /// The listeners are open.
    pub fn listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
    }

    /// A stop has begun.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`Ready::drain`] was said.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// What is missing; empty when traffic may come.
    pub fn missing(&self, gateway: &Gateway) -> Vec<String> {
        if self.is_draining() {
            return vec!["the gateway is stopping".to_owned()];
        }
        if self.reached.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut missing = Vec::new();
        if !self.listening.load(Ordering::Relaxed) {
            missing.push("the listeners are not open yet".to_owned());
        }
        missing.extend(gateway.revocations.missing().into_iter().map(str::to_owned));
        missing.extend(waited_for(gateway));
        self.reached.store(missing.is_empty(), Ordering::Relaxed);
        missing
    }
}

/// Documents and keys that are missing. After the time for all of them, some are enough.
fn waited_for(gateway: &Gateway) -> Vec<String> {
    let (readiness, clock) = (&gateway.kernel.env.readiness, &gateway.kernel.env.clock);
    let mut missing = readiness.missing(clock.instant());
    if !gateway.documents.settled() {
        missing.push("a document, such as an issuer's keys, was not fetched yet".to_owned());
    }
    let over = gateway.begun.elapsed() >= gateway.current().config.gateway.process.ready_after.0;
    if over && !missing.is_empty() && readiness.is_partly_there() {
        log::warn!("ready without all that is needed, after `process.ready_after`: {}", missing.join("; "));
        return Vec::new();
    }
    missing
}
