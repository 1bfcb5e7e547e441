//! Addresses that could not be connected to lately.
//!
//! An address that swallows connections costs whoever tries it the whole connect timeout. After a failure it is left out for a
//! while; then one request tries it, while the others go on without it until that one has succeeded.
//!
//! This protects requests that have another address to go to. It does not protect against an upstream that accepts connections and
//! then says nothing, which is the read timeout's part. It forgets everything at a reload.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;

/// How long an address is left out after a failure: long enough that few requests wait, short enough that a server that has come
/// back is soon used again.
pub(in crate::upstreams) const REST: Duration = Duration::from_secs(10);

/// Most addresses that are remembered; beyond it the oldest is forgotten. A name may change its addresses for ever.
const MOST: usize = 64;

/// What is known of an endpoint's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// One of them at least was not found wanting.
    None,
    /// All of them are left out for so long.
    For(Duration),
    /// One request may try one of them.
    Over,
}

/// What an endpoint remembers.
#[derive(Debug)]
pub(in crate::upstreams) struct Unreachable {
    begun: Instant,
    /// Something has failed since the beginning. Until then nobody needs to look.
    any: AtomicBool,
    all: ArcSwap<Vec<Arc<Resting>>>,
}

#[derive(Debug)]
struct Resting {
    address: SocketAddr,
    /// Milliseconds since the beginning.
    until: AtomicU64,
}

impl Unreachable {
    pub(in crate::upstreams) fn new() -> Self {
        Self { begun: Instant::now(), any: AtomicBool::new(false), all: ArcSwap::default() }
    }

    /// Whether nothing is left out. Costs one load.
    pub(in crate::upstreams) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire) || self.all.load().is_empty()
    }

    /// What it means for an endpoint with these addresses.
    pub(super) fn of(&self, addresses: &[SocketAddr], now: Instant) -> Rest {
        let all: Option<Vec<u64>> = addresses.iter().map(|address| Some(self.find(*address)?.until.load(Ordering::Relaxed))).collect();
        match all.and_then(|all| all.into_iter().min()) {
            None => Rest::None,
            Some(until) if until > self.millis(now) => Rest::For(Duration::from_millis(until - self.millis(now))),
            Some(_) => Rest::Over,
        }
    }

    /// Whether an address is left out now.
    pub(in crate::upstreams) fn rests(&self, address: SocketAddr, now: Instant) -> bool {
        self.find(address).is_some_and(|resting| resting.until.load(Ordering::Relaxed) > self.millis(now))
    }

    /// Whether this request may try an address. Of those that ask when its rest is over, the first may; the others wait for what
    /// comes of it, which takes as long as a connection may.
    pub(in crate::upstreams) fn admits(&self, address: SocketAddr, now: Instant, connect: Duration) -> bool {
        let Some(resting) = self.find(address) else { return true };
        let (until, now) = (resting.until.load(Ordering::Relaxed), self.millis(now));
        let next = now.saturating_add(millis(REST.saturating_add(connect)));
        until <= now && resting.until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// An address could not be connected to. Whether that is news.
    pub(in crate::upstreams) fn failed(&self, address: SocketAddr, now: Instant) -> bool {
        let until = self.millis(now).saturating_add(millis(REST));
        if let Some(resting) = self.find(address) {
            resting.until.store(until, Ordering::Relaxed);
            return false;
        }
        let new = Arc::new(Resting { address, until: AtomicU64::new(until) });
        self.all.rcu(|all| {
            let others = all.iter().filter(|resting| resting.address != address);
            let surplus = (all.len() + 1).saturating_sub(MOST);
            others.skip(surplus).cloned().chain([new.clone()]).collect::<Vec<_>>()
        });
        self.any.store(true, Ordering::Release);
        true
    }

    /// An address was connected to, or answered. Whether that is news.
    pub(in crate::upstreams) fn reached(&self, address: SocketAddr) -> bool {
        if self.find(address).is_none() {
            return false;
        }
        self.all.rcu(|all| all.iter().filter(|resting| resting.address != address).cloned().collect::<Vec<_>>());
        true
    }

    fn find(&self, address: SocketAddr) -> Option<Arc<Resting>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.all.load().iter().find(|resting| resting.address == address).cloned()
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.begun))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: Duration = Duration::from_secs(5);

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 80))
    }

    #[test]
    fn an_address_that_failed_rests_and_then_one_request_tries_it() {
        let (unreachable, begin) = (Unreachable::new(), Instant::now());
        assert!(unreachable.admits(address(1), begin, CONNECT) && unreachable.is_empty());
        assert!(unreachable.failed(address(1), begin));
        assert!(!unreachable.admits(address(1), begin + REST / 2, CONNECT) && unreachable.admits(address(2), begin, CONNECT));
        let over = begin + REST + Duration::from_secs(1);
        assert!(!unreachable.rests(address(1), over));
        let admitted = (0..100).filter(|_| unreachable.admits(address(1), over, CONNECT)).count();
        assert_eq!(admitted, 1);
        assert!(unreachable.rests(address(1), over + REST), "the one that tries may wait as long as a connection may take");
        assert!(!unreachable.failed(address(1), over + CONNECT), "it is no news that it still fails");
        assert!(unreachable.rests(address(1), over + CONNECT + REST / 2));
    }

    #[test]
    fn of_many_threads_that_ask_at_once_one_tries() {
        let (unreachable, begin) = (Unreachable::new(), Instant::now());
        unreachable.failed(address(1), begin);
        let over = begin + REST * 2;
        let ask = || (0..1000).filter(|_| unreachable.admits(address(1), over, CONNECT)).count();
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 1);
    }

    #[test]
    fn an_address_that_was_reached_is_used_at_once() {
        let (unreachable, begin) = (Unreachable::new(), Instant::now());
        unreachable.failed(address(1), begin);
        assert!(unreachable.reached(address(1)) && !unreachable.reached(address(1)));
        assert!(unreachable.is_empty() && unreachable.admits(address(1), begin, CONNECT));
    }

    #[test]
    fn a_name_that_changes_its_addresses_for_ever_fills_no_memory() {
        let (unreachable, begin) = (Unreachable::new(), Instant::now());
        for last in 0..=255 {
            unreachable.failed(address(last), begin);
        }
        assert_eq!(unreachable.all.load().len(), MOST);
        assert!(unreachable.rests(address(255), begin) && !unreachable.rests(address(0), begin));
    }
}
