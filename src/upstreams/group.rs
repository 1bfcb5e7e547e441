//! Whose turn it is.

use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use tollgate_plan::{Environment, Strategy};

use super::Target;

/// Targets that can stand for each other.
#[derive(Debug)]
pub struct Group {
    /// Name of the group, as overrides spell it.
    pub name: String,
    /// The key type it serves.
    pub environment: Environment,
    /// How a target is picked.
    pub strategy: Strategy,
    /// At least one.
    pub targets: Vec<Target>,
    /// Load balance: requests so far. Failover: index of the target to begin with.
    turn: AtomicUsize,
}

impl Group {
    /// A group that begins with its first target.
    pub(super) fn new(name: String, environment: Environment, strategy: Strategy, targets: Vec<Target>) -> Self {
        Self { name, environment, strategy, targets, turn: AtomicUsize::new(0) }
    }

    /// The order in which the targets are tried for one request, each at most once. Asking takes a turn.
    pub fn order(&self) -> Order {
        let count = self.targets.len();
        let (first, tries) = match self.strategy {
            Strategy::Single => (0, 1),
            Strategy::LoadBalance => (self.turn.fetch_add(1, Ordering::Relaxed) % count, count),
            Strategy::Failover => (self.turn.load(Ordering::Relaxed) % count, count),
        };
        Order { steps: first..first + tries, count }
    }

    /// Tells that a target answered; failover stays with it.
    pub fn succeeded(&self, target: usize) {
        if self.strategy == Strategy::Failover && self.turn.load(Ordering::Relaxed) != target {
            self.turn.store(target, Ordering::Relaxed);
        }
    }

    /// Tells that a target failed. When failover stood with it, requests that begin now begin with the next one rather than
    /// wait for the same failure.
    pub fn failed(&self, target: usize) {
        if self.strategy == Strategy::Failover {
            let next = (target + 1) % self.targets.len();
            // Another request may have moved on already; then its verdict stands.
            let _ = self.turn.compare_exchange(target, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Whether an answer with that status counts as a failure that the next target may repair.
    pub fn retry_status(&self, status: u16) -> bool {
        self.strategy == Strategy::Failover && (501..=504).contains(&status)
    }
}

/// Indexes of targets in the order in which one request tries them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    steps: Range<usize>,
    count: usize,
}

impl Iterator for Order {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.steps.next().map(|step| step % self.count)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.steps.size_hint()
    }
}

impl ExactSizeIterator for Order {}
