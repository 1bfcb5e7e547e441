//! Lets a server that fails again and again alone for a moment, and those who would ask it wait for nothing.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;
use tollgate_filter_api::Gauge;

use super::tended::lock;

/// Failures in a row after which the server is left alone.
const FAILURES: u32 = 5;
/// How long it is left alone; then one question tries it.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One question is on its way; what becomes of it decides.
    Trying,
}

/// Of one server.
pub(super) struct Breaker {
    state: Mutex<State>,
    open: Gauge,
}

/// Leave to ask once. Dropped without a [verdict](Self::verdict), it decides nothing.
pub(super) struct Leave<'a> {
    breaker: &'a Breaker,
    trial: bool,
}

impl Breaker {
    /// Closed; the gauge is 1 while it is not.
    pub(super) fn new(open: Gauge) -> Self {
        open.set(0);
        Self { state: Mutex::new(State::Closed { failures: 0 }), open }
    }

    /// Leave to ask; `None` while the server is left alone.
    pub(super) fn enter(&self) -> Option<Leave<'_>> {
        let mut state = lock(&self.state);
        match *state {
            State::Closed { .. } => Some(Leave { breaker: self, trial: false }),
            State::Open { until } if until <= Instant::now() => {
                *state = State::Trying;
                Some(Leave { breaker: self, trial: true })
            }
            State::Open { .. } | State::Trying => None,
        }
    }

    fn set(&self, state: &mut State, next: State) {
        self.open.set(i64::from(!matches!(next, State::Closed { .. })));
        *state = next;
    }
}

impl Leave<'_> {
    /// How it went.
    pub(super) fn verdict(mut self, good: bool) {
        let trial = std::mem::take(&mut self.trial);
        let mut state = lock(&self.breaker.state);
        let next = match *state {
            _ if good => State::Closed { failures: 0 },
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed { failures: failures + 1 },
            State::Closed { .. } => State::Open { until: Instant::now() + PAUSE },
            _ if trial => State::Open { until: Instant::now() + PAUSE },
            unchanged => unchanged,
        };
        self.breaker.set(&mut state, next);
    }
}

impl Drop for Leave<'_> {
    /// Whoever tried gave up: the next one may try at once.
    fn drop(&mut self) {
        if self.trial {
            *lock(&self.breaker.state) = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.enter().unwrap().verdict(false);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_one_trial_closes_it() {
        let open = Gauge::default();
        let breaker = Breaker::new(open.clone());
        fail(&breaker, FAILURES - 1);
        breaker.enter().unwrap().verdict(true);
        fail(&breaker, FAILURES - 1);
        assert_eq!(open.get(), 0);
        fail(&breaker, 1);
        assert!(breaker.enter().is_none());
        assert_eq!(open.get(), 1);
        tokio::time::advance(PAUSE).await;
        let trial = breaker.enter().unwrap();
        assert!(breaker.enter().is_none(), "a second trial beside the first");
        trial.verdict(true);
        assert!(breaker.enter().is_some());
        assert_eq!(open.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_fails_opens_it_again_and_one_that_is_given_up_leaves_its_place() {
        let breaker = Breaker::new(Gauge::default());
        fail(&breaker, FAILURES);
        tokio::time::advance(PAUSE).await;
        drop(breaker.enter().unwrap());
        breaker.enter().expect("the place of the trial that was given up").verdict(false);
        assert!(breaker.enter().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_late_while_it_is_open_does_not_prolong_the_pause() {
        let breaker = Breaker::new(Gauge::default());
        let late = breaker.enter().unwrap();
        fail(&breaker, FAILURES);
        tokio::time::advance(PAUSE / 2).await;
        late.verdict(false);
        tokio::time::advance(PAUSE / 2).await;
        assert!(breaker.enter().is_some());
    }
}
