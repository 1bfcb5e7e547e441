//! Whether the gateway is ready for traffic, and what it waits for.
//!
//! Without its issuers' keys and the list of revocations, the gateway answers requests with 503; without the traffic manager's lists it does
//! not know whom to refuse. Where endpoints are looked up, traffic waits for some seconds, as those that are written may be old. So it becomes ready once it has them all, and then stays ready until it stops: if readiness followed the issuers,
//! an outage of one issuer would take every gateway out of service for the clients of all of them. Introspection endpoints are asked for
//! each request, so there is nothing to wait for.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::proxy::running::gateway::Gateway;

/// Which steps to readiness were reached.
#[derive(Default)]
pub struct Ready {
    /// The listeners are open.
    listening: AtomicBool,
    /// Nothing was missing at one time.
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

    /// Whether [`Ready::drain`] was called.
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
        missing.extend(gateway.traffic.iter().filter_map(|traffic| traffic.missing()).map(str::to_owned));
        missing.extend(gateway.kernel.discovery.missing().map(str::to_owned));
        missing.extend(waited_for(gateway));
        self.reached.store(missing.is_empty(), Ordering::Relaxed);
        missing
    }
}

/// The documents and keys that are missing. After `process.ready_after`, some of them are enough.
fn waited_for(gateway: &Gateway) -> Vec<String> {
    let (readiness, clock) = (&gateway.kernel.env.readiness, &gateway.kernel.env.clock);
    let mut missing = readiness.missing(clock.instant());
    if !gateway.documents.settled() {
        missing.push("a document, such as an issuer's keys, was not fetched yet".to_owned());
    }
    let over = gateway.begun.elapsed() >= gateway.current().config().gateway.process.ready_after.0;
    if over && !missing.is_empty() && readiness.is_partly_there() {
        log::warn!("ready without all that is needed, after `process.ready_after`: {}", missing.join("; "));
        return Vec::new();
    }
    missing
}
