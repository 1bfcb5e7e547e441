//! Whose turn it is: the order in which a request tries the endpoints of a set.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use tollgate_plan::Strategy;

use super::Endpoint;

/// What a group remembers of turns. It is handed from set to set.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    /// How several endpoints are balanced.
    strategy: Strategy,
    /// Load balance: requests so far.
    count: Arc<AtomicUsize>,
    /// Failover: the endpoint to begin with.
    preferred: Arc<AtomicU64>,
}

impl Turns {
    pub(super) fn new(strategy: Strategy) -> Self {
        Self { strategy, count: Arc::default(), preferred: Arc::default() }
    }

    /// One set gives way to the next: failover goes on with the first that stays, from the preferred one on.
    pub(super) fn hand_over<C>(&self, from: &[Arc<Endpoint<C>>], to: &[Arc<Endpoint<C>>]) {
        if self.strategy != Strategy::Failover {
            return;
        }
        let preferred = self.preferred.load(Relaxed);
        let at = from.iter().position(|endpoint| endpoint.id == preferred).unwrap_or(0);
        let (before, after) = from.split_at(at);
        let staying: HashSet<u64> = to.iter().map(|endpoint| endpoint.id).collect();
        let next = after.iter().chain(before).find(|endpoint| staying.contains(&endpoint.id)).or(to.first());
        self.preferred.store(next.map_or(0, |endpoint| endpoint.id), Relaxed);
    }
}

/// How one set is balanced.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) strategy: Strategy,
    turns: Turns,
    /// Where in the set the preferred endpoint was found last.
    preferred_at: AtomicUsize,
}

impl Balance {
    /// Balances so many endpoints. One alone needs no strategy.
    pub(super) fn new(count: usize, turns: Turns) -> Self {
        let strategy = if count > 1 { turns.strategy } else { Strategy::Single };
        Self { strategy, turns, preferred_at: AtomicUsize::new(0) }
    }

    /// The order for one request. Asking takes a turn.
    pub(super) fn order<C>(&self, endpoints: &[Arc<Endpoint<C>>]) -> Order {
        let count = endpoints.len();
        let (first, tries) = match self.strategy {
            Strategy::Single => (0, count.min(1)),
            Strategy::LoadBalance => (self.next_turn(endpoints), count),
            Strategy::Failover => (self.preferred(endpoints), count),
        };
        Order { again: None, steps: first..first + tries, passed_over: Vec::new(), count }
    }

    /// The endpoint whose turn it is. The turns of one that is left out are divided among the others, rather than fall to its
    /// neighbour.
    fn next_turn<C>(&self, endpoints: &[Arc<Endpoint<C>>]) -> usize {
        let turn = || self.turns.count.fetch_add(1, Relaxed) % endpoints.len();
        let first = turn();
        if endpoints[first].unreachable.is_empty() {
            return first;
        }
        let now = Instant::now();
        let mut others = std::iter::once(first).chain((1..endpoints.len()).map(|_| turn()));
        others.find(|at| !endpoints[*at].is_left_out(now)).unwrap_or(first)
    }

    fn preferred<C>(&self, endpoints: &[Arc<Endpoint<C>>]) -> usize {
        let preferred = self.turns.preferred.load(Relaxed);
        let known = self.preferred_at.load(Relaxed);
        if endpoints.get(known).is_some_and(|endpoint| endpoint.id == preferred) {
            return known;
        }
        let found = endpoints.iter().position(|endpoint| endpoint.id == preferred).unwrap_or_else(|| {
            // One that has left did well just then.
            if !endpoints[0].has_left() {
                let _ = self.turns.preferred.compare_exchange(preferred, endpoints[0].id, Relaxed, Relaxed);
            }
            0
        });
        self.preferred_at.store(found, Relaxed);
        found
    }

    /// An endpoint did well; failover stays with it.
    pub(super) fn stay<C>(&self, endpoint: &Endpoint<C>) {
        if self.strategy == Strategy::Failover && self.turns.preferred.load(Relaxed) != endpoint.id && !endpoint.has_left() {
            self.turns.preferred.store(endpoint.id, Relaxed);
        }
    }

    /// An endpoint failed. When failover stood with it, requests that begin now begin with the next one rather than wait for the
    /// same failure.
    pub(super) fn move_on<C>(&self, endpoints: &[Arc<Endpoint<C>>], at: usize) {
        if self.strategy != Strategy::Failover {
            return;
        }
        let (failed, next) = (endpoints[at].id, endpoints[(at + 1) % endpoints.len()].id);
        // Another request may have moved on already; then its verdict stands.
        let _ = self.turns.preferred.compare_exchange(failed, next, Relaxed, Relaxed);
    }
}

/// Places of endpoints in a set, in the order in which one request tries them; each at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// An endpoint that has another address.
    pub(super) again: Option<usize>,
    steps: Range<usize>,
    /// Those that are left until nothing else is left.
    pub(super) passed_over: Vec<usize>,
    count: usize,
}

impl Order {
    /// The next one, but for those that were passed over.
    pub(super) fn next_step(&mut self) -> Option<usize> {
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
