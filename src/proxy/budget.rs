//! Bytes that the process may have for one purpose, whoever needs them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::telemetry::IntCounter;

/// Bytes that are shared.
#[derive(Debug)]
pub struct Budget {
    left: AtomicUsize,
    met: IntCounter,
}

impl Budget {
    /// So many bytes. The counter counts who asked in vain.
    pub fn new(bytes: u64, met: IntCounter) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(usize::try_from(bytes).unwrap_or(usize::MAX)), met })
    }

    /// Takes some, to be given back. `false` when there are not so many.
    pub fn take(&self, bytes: usize) -> bool {
        let taken = self.left.try_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok();
        if !taken {
            self.met.inc();
        }
        taken
    }

    /// Gives some back.
    pub fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Relaxed);
    }
}

/// What one answer has of it; comes back when this is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// Nothing yet.
    pub fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// Takes more, so that it has so many bytes. `false` when there are none left.
    pub fn grow(&mut self, to: usize) -> bool {
        let taken = self.budget.take(to.saturating_sub(self.bytes));
        if taken {
            self.bytes = self.bytes.max(to);
        }
        taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}
