//! The traffic manager as filters find it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::decisions::Decisions;

/// The name under which filters find it among what they share.
pub const NAME: &str = "traffic_manager";

/// Takes events on their way.
pub trait Outbox: Send + Sync {
    /// Sends an event, or counts that it was lost. Never waits.
    fn put(&self, event: Vec<u8>);
}

/// What it said, and how it is told.
pub struct TrafficManager {
    /// What it said.
    pub decisions: Decisions,
    outbox: Box<dyn Outbox>,
    used: AtomicBool,
}

impl TrafficManager {
    /// One that has said nothing yet.
    pub fn new(outbox: impl Outbox + 'static) -> Self {
        Self { decisions: Decisions::default(), outbox: Box::new(outbox), used: AtomicBool::new(false) }
    }

    /// Tells it of a request.
    pub fn tell(&self, event: Vec<u8>) {
        self.outbox.put(event);
    }

    /// A configuration is built: what an earlier one said counts no more.
    pub fn begin(&self) {
        self.used.store(false, Ordering::Relaxed);
    }

    /// Whoever enforces what it says says so.
    pub fn use_decisions(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether somebody enforces what it says.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}
