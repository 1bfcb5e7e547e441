//! The circuit breaker of one endpoint, with the reference product's semantics.
//!
//! Closed, requests pass and are counted. When the rolling window has enough of them and too great a share failed, it opens: nobody asks the
//! endpoint. Some time after the last failure one request tries it (half open): success closes it and forgets the window, failure opens
//! it again. A trial that comes to nothing, because its client left, leaves it to the next request.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::rolling::Rolling;
use crate::upstreams::policy::CircuitBreaker;

/// What one may do at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::upstreams) enum Pass {
    /// Ask it.
    Yes,
    /// Ask it, as the one that tries.
    Trial,
    /// Leave it.
    No,
}

/// Two bits of state; in the rest the time of the last failure, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open(u64),
    HalfOpen(u64),
}

impl State {
    fn of(word: u64) -> Self {
        match word & 3 {
            0 => Self::Closed,
            1 => Self::Open(word >> 2),
            _ => Self::HalfOpen(word >> 2),
        }
    }

    fn word(self) -> u64 {
        match self {
            Self::Closed => 0,
            Self::Open(at) => (at << 2) | 1,
            Self::HalfOpen(at) => (at << 2) | 2,
        }
    }
}

/// A circuit breaker.
#[derive(Debug)]
pub(in crate::upstreams) struct Circuit {
    state: AtomicU64,
    window: Rolling,
    requests: u64,
    threshold: f64,
    reset: u64,
}

impl Circuit {
    /// A closed one.
    pub(super) fn new(settings: &CircuitBreaker) -> Self {
        Self {
            state: AtomicU64::new(0),
            window: Rolling::new(settings.window, settings.bucket),
            requests: u64::from(settings.requests.max(1)),
            threshold: settings.threshold,
            reset: millis(settings.reset),
        }
    }

    /// Until when nobody may ask the endpoint, in milliseconds; `None` while it is closed.
    pub(in crate::upstreams) fn open_until(&self) -> Option<u64> {
        match State::of(self.state.load(Relaxed)) {
            State::Closed => None,
            State::Open(at) | State::HalfOpen(at) => Some(at.saturating_add(self.reset)),
        }
    }

    /// Whether one who asked now would be let through.
    pub(in crate::upstreams) fn lets_through(&self, now: u64) -> bool {
        match State::of(self.state.load(Relaxed)) {
            State::Closed => true,
            State::Open(at) => now >= at.saturating_add(self.reset),
            State::HalfOpen(_) => false,
        }
    }

    /// Whether one who asks now may; of those who ask when its time is over, one tries.
    pub(in crate::upstreams) fn pass(&self, now: u64) -> Pass {
        let word = self.state.load(Relaxed);
        match State::of(word) {
            State::Closed => Pass::Yes,
            State::HalfOpen(_) => Pass::No,
            State::Open(at) if now < at.saturating_add(self.reset) => Pass::No,
            State::Open(at) => match self.state.compare_exchange(word, State::HalfOpen(at).word(), Relaxed, Relaxed) {
                Ok(_) => Pass::Trial,
                Err(_) => Pass::No,
            },
        }
    }

    /// What came of a request. Whether it opened or closed because of that.
    pub(super) fn count(&self, now: u64, failed: bool, trial: bool) -> Option<bool> {
        if trial {
            let next = if failed { State::Open(now) } else { State::Closed };
            if !failed {
                self.window.clear();
            }
            self.state.store(next.word(), Relaxed);
            return (!failed).then_some(false);
        }
        self.window.count(now, failed);
        let word = self.state.load(Relaxed);
        match State::of(word) {
            State::Closed if self.is_over(now) => {
                let opened = self.state.compare_exchange(word, State::Open(now).word(), Relaxed, Relaxed).is_ok();
                opened.then_some(true)
            }
            // One that was under way: the pause begins with the last failure.
            State::Open(_) if failed => {
                let _ = self.state.compare_exchange(word, State::Open(now).word(), Relaxed, Relaxed);
                None
            }
            _ => None,
        }
    }

    /// A trial came to nothing.
    pub(super) fn give_up(&self) {
        let word = self.state.load(Relaxed);
        if let State::HalfOpen(at) = State::of(word) {
            let _ = self.state.compare_exchange(word, State::Open(at).word(), Relaxed, Relaxed);
        }
    }

    fn is_over(&self, now: u64) -> bool {
        let (total, failed) = self.window.sum(now);
        total >= self.requests && failed as f64 / total as f64 > self.threshold
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit(requests: u32, threshold: f64) -> Circuit {
        Circuit::new(&CircuitBreaker {
            window: Duration::from_secs(60),
            bucket: Duration::from_secs(2),
            requests,
            threshold,
            reset: Duration::from_secs(5),
            statuses: Default::default(),
        })
    }

    #[test]
    fn it_opens_when_more_than_the_share_failed_of_enough_requests() {
        let circuit = circuit(10, 0.2);
        for request in 0..8 {
            assert_eq!(circuit.count(0, request == 0, false), None);
        }
        assert_eq!(circuit.count(0, true, false), None, "nine are not enough");
        assert_eq!(circuit.count(0, false, false), None, "two of ten are not more than a fifth");
        assert_eq!(circuit.pass(0), Pass::Yes);
        assert_eq!(circuit.count(0, true, false), Some(true));
        assert_eq!(circuit.pass(4_999), Pass::No);
    }

    #[test]
    fn after_its_time_one_request_tries_and_decides() {
        let circuit = circuit(1, 0.2);
        assert_eq!(circuit.count(0, true, false), Some(true));
        assert_eq!([circuit.pass(5_000), circuit.pass(5_000)], [Pass::Trial, Pass::No]);
        assert_eq!(circuit.count(5_100, true, true), None);
        assert_eq!([circuit.pass(10_000), circuit.pass(10_100), circuit.pass(10_100)], [Pass::No, Pass::Trial, Pass::No]);
        assert_eq!(circuit.count(10_200, false, true), Some(false));
        assert_eq!(circuit.pass(10_200), Pass::Yes);
        assert_eq!(circuit.count(10_300, false, false), None, "the failures before are forgotten");
    }

    #[test]
    fn the_pause_begins_with_the_last_failure() {
        let circuit = circuit(1, 0.2);
        circuit.count(0, true, false);
        circuit.count(3_000, true, false);
        assert_eq!([circuit.pass(7_999), circuit.pass(8_000)], [Pass::No, Pass::Trial]);
    }

    #[test]
    fn a_trial_that_comes_to_nothing_is_left_to_the_next() {
        let circuit = circuit(1, 0.2);
        circuit.count(0, true, false);
        assert_eq!(circuit.pass(5_000), Pass::Trial);
        circuit.give_up();
        assert_eq!(circuit.pass(5_000), Pass::Trial);
    }

    #[test]
    fn of_many_threads_one_tries() {
        let circuit = circuit(1, 0.2);
        circuit.count(0, true, false);
        let tries = || (0..1000).filter(|_| circuit.pass(5_000) == Pass::Trial).count();
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(all, 1);
    }
}
