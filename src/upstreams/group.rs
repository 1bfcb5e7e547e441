//! Whose turn it is, and who is left out.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use tollgate_plan::{Environment, Strategy};

use super::{
    Target,
    unreachable::{REST, Unreachable},
};

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
    unreachable: Unreachable,
}

/// A target to try, and where it is when that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index of the target.
    pub target: usize,
    /// One of its addresses; `None` when its name must be looked up first.
    pub address: Option<SocketAddr>,
}

impl Group {
    /// A group that begins with its first target.
    pub(super) fn new(name: String, environment: Environment, strategy: Strategy, targets: Vec<Target>) -> Self {
        Self { name, environment, strategy, targets, turn: AtomicUsize::new(0), unreachable: Unreachable::new() }
    }

    /// The order in which the targets are tried for one request, each at most once. Asking takes a turn.
    pub fn order(&self) -> Order {
        let count = self.targets.len();
        let (first, tries) = match self.strategy {
            Strategy::Single => (0, 1),
            Strategy::LoadBalance => (self.next_turn(), count),
            Strategy::Failover => (self.turn.load(Ordering::Relaxed) % count, count),
        };
        Order { again: None, steps: first..first + tries, passed_over: Vec::new(), count }
    }

    /// The target whose turn it is. The turns of one that is left out are divided among the others, rather than fall to its
    /// neighbour.
    fn next_turn(&self) -> usize {
        let count = self.targets.len();
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let first = turn();
        if self.unreachable.is_empty() {
            return first;
        }
        let now = Instant::now();
        let mut others = std::iter::once(first).chain((1..count).map(|_| turn()));
        others.find(|target| !self.is_left_out(*target, now)).unwrap_or(first)
    }

    fn is_left_out(&self, target: usize, now: Instant) -> bool {
        let known = self.targets[target].addresses();
        known.is_some_and(|all| all.iter().all(|address| self.unreachable.rests(*address, now)))
    }

    /// The next target of an order. One that could not be reached lately comes after all the others, but it comes: no request fails
    /// without a try. Several addresses of a name take turns by `turn`.
    pub fn choose(&self, order: &mut Order, turn: usize, now: Instant) -> Option<Choice> {
        if self.unreachable.is_empty() {
            let target = order.next()?;
            return Some(Choice { target, address: self.targets[target].address(turn) });
        }
        while let Some(target) = order.next_step() {
            let Some(first) = self.targets[target].address(turn) else { return Some(Choice { target, address: None }) };
            let connect = self.targets[target].timeouts.connect;
            let all = self.targets[target].addresses();
            let mut all = std::iter::once(first).chain(all.iter().flat_map(|all| all.iter().copied()));
            if let Some(address) = all.find(|address| self.unreachable.admits(*address, now, connect)) {
                return Some(Choice { target, address: Some(address) });
            }
            order.passed_over.push(target);
        }
        let target = order.next()?;
        Some(Choice { target, address: self.targets[target].address(turn) })
    }

    /// Tells that no connection could be made to an address of a target. It is left out for some seconds, and this request may try
    /// another address of the target.
    pub fn unreachable(&self, order: &mut Order, target: usize, address: SocketAddr, now: Instant) {
        if self.unreachable.failed(address, now) {
            log::warn!("endpoint group `{}`: {address} cannot be connected to, and is left out for {REST:?}", self.name);
        }
        if self.is_left_out(target, now) {
            self.failed(target);
        } else {
            order.again = Some(target);
        }
    }

    /// Tells that an address was connected to, or has answered.
    pub fn reached(&self, address: SocketAddr) {
        if self.unreachable.reached(address) {
            log::info!("endpoint group `{}`: {address} can be reached again", self.name);
        }
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
    /// A target that has another address.
    again: Option<usize>,
    steps: Range<usize>,
    /// Those that are left until nothing else is left.
    passed_over: Vec<usize>,
    count: usize,
}

impl Order {
    /// The next one, but for those that were passed over.
    fn next_step(&mut self) -> Option<usize> {
        self.again.take().or_else(|| self.steps.next().map(|step| step % self.count))
    }
}

impl Iterator for Order {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.next_step().or_else(|| (!self.passed_over.is_empty()).then(|| self.passed_over.remove(0)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.again.is_some()) + self.steps.len() + self.passed_over.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Order {}
