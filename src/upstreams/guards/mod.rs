//! What a group's requests may not exceed together: retries, and requests that wait for their turn.

mod room;

use std::{
    sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tokio::sync::Notify;
use tollgate_filter_api::{Counter, MetricDoc, Metrics};

use super::policy::{Policy, Retries};

/// A retry costs so much of the budget.
const RETRY: i64 = 100;
/// Retries a second that a budget has beside its share of the requests.
const A_SECOND: i64 = 10;
/// The most retries that a budget saves up.
const SAVED: i64 = 100;

/// The guards of a group, and what they count.
#[derive(Debug)]
pub(super) struct Guards {
    /// Hundredths of retries that may be made.
    budget: AtomicI64,
    /// Up to which second the budget has what each second brings.
    filled: AtomicU64,
    /// Requests that wait for their turn.
    waiting: AtomicU32,
    /// Somebody's turn has come.
    pub(super) turn: Notify,
    pub(super) tally: Tally,
}

/// What has happened in a group. Counters of the same group in an earlier configuration go on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Attempts that the group's retries paid for.
    pub(super) retries: Counter,
    /// Those that their budget did not have.
    pub(super) retries_refused: Counter,
    /// Endpoints that were ejected.
    pub(super) ejections: Counter,
    /// Endpoints that were to be ejected, and were too many.
    pub(super) ejections_refused: Counter,
    /// Circuit breakers that opened.
    pub(super) circuits_opened: Counter,
    /// Requests that no endpoint had room for.
    pub(super) full: Counter,
}

impl Tally {
    /// Series of what the policy can make happen.
    fn new(policy: &Policy, metrics: &Metrics, group: &str) -> Self {
        let counter = |used: bool, name| if used { metrics.counter(name, Some(("group", group))) } else { Counter::default() };
        let (retries, ejection) = (policy.retries.is_some(), policy.ejection.is_some());
        Self {
            retries: counter(retries, "upstream_retries_total"),
            retries_refused: counter(retries, "upstream_retries_refused_total"),
            ejections: counter(ejection, "upstream_ejections_total"),
            ejections_refused: counter(ejection, "upstream_ejections_refused_total"),
            circuits_opened: counter(policy.breaker.is_some(), "upstream_circuits_opened_total"),
            full: counter(policy.capacity.is_some(), "upstream_full_total"),
        }
    }
}

/// Series of endpoint groups. `group` is the name, a slash and `production` or `sandbox`.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "upstream_endpoints", help: "Endpoints of a group." },
    MetricDoc {
        name: "upstream_endpoints_ready",
        help: "Endpoints of a group that take requests for themselves; when there are too few, all do.",
    },
    MetricDoc { name: "upstream_retries_total", help: "Attempts that a group's `retry` made." },
    MetricDoc { name: "upstream_retries_refused_total", help: "Attempts that the budget of a group's `retry` did not have." },
    MetricDoc { name: "upstream_ejections_total", help: "Endpoints that were ejected because too many of their requests failed." },
    MetricDoc {
        name: "upstream_ejections_refused_total",
        help: "Endpoints that failed as much and were not ejected, because too many were already.",
    },
    MetricDoc { name: "upstream_circuits_opened_total", help: "Circuit breakers of endpoints that opened." },
    MetricDoc { name: "mirror_copies_total", help: "Copies of requests that a mirror has answered." },
    MetricDoc {
        name: "mirror_dropped_total",
        help: "Requests that were to be copied and were not: their body is too long, or too many copies were in progress.",
    },
    MetricDoc { name: "mirror_failures_total", help: "Copies of requests that a mirror has not answered." },
    MetricDoc { name: "upstream_full_total", help: "Requests that no endpoint of their group had room for." },
];

impl Guards {
    pub(super) fn new(policy: &Policy, metrics: &Metrics, group: &str) -> Self {
        Self {
            budget: AtomicI64::new(A_SECOND * RETRY),
            filled: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            turn: Notify::new(),
            tally: Tally::new(policy, metrics, group),
        }
    }

    /// A request begins: it brings its share of a retry.
    pub(super) fn earn(&self, retries: &Retries) {
        let Some(percent) = retries.budget else { return };
        if self.budget.load(Relaxed) < SAVED * RETRY {
            self.budget.fetch_add(i64::from(percent), Relaxed);
        }
    }

    /// Takes a retry out of the budget, at so many milliseconds; false when it has none.
    pub(super) fn spend(&self, retries: &Retries, now: u64) -> bool {
        if retries.budget.is_none() {
            self.tally.retries.inc();
            return true;
        }
        let (second, filled) = (now / 1000, self.filled.load(Relaxed));
        if second > filled && self.filled.compare_exchange(filled, second, Relaxed, Relaxed).is_ok() {
            let seconds = i64::try_from(second - filled).unwrap_or(SAVED).min(SAVED);
            let _ = self
                .budget
                .fetch_update(Relaxed, Relaxed, |budget| Some(budget.max((budget + seconds * A_SECOND * RETRY).min(SAVED * RETRY))));
        }
        let spent = self.budget.fetch_update(Relaxed, Relaxed, |budget| (budget >= RETRY).then_some(budget - RETRY)).is_ok();
        let counter = if spent { &self.tally.retries } else { &self.tally.retries_refused };
        counter.inc();
        spent
    }

    /// A request may wait, unless so many do.
    pub(super) fn wait(&self, most: u32) -> Option<Waiting<'_>> {
        let waits = self.waiting.fetch_update(Relaxed, Relaxed, |waiting| (waiting < most).then_some(waiting + 1)).is_ok();
        if !waits {
            self.tally.full.inc();
        }
        waits.then(|| Waiting(&self.waiting))
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// A request has waited, and nobody had room.
    pub(super) fn waited_in_vain(&self) {
        self.tally.full.inc();
    }
}

/// One request that waits, until it is dropped.
pub struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Retries {
    /// The pause before a retry, counted from 1.
    pub fn pause(&self, number: u32) -> Duration {
        let factor = if self.factor > 0.0 { self.factor } else { 1.0 };
        let times = factor.powi(i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX));
        let pause = self.interval.as_secs_f64() * times;
        if pause.is_finite() { Duration::try_from_secs_f64(pause).unwrap_or(self.most).min(self.most) } else { self.most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstreams::{Strategy, policy::Statuses};

    fn guards() -> Guards {
        Guards::new(&Policy::new(Strategy::RoundRobin), &Metrics::default(), "pets/production")
    }

    fn retries(budget: Option<u8>) -> Retries {
        Retries {
            count: 3,
            statuses: Statuses::default(),
            interval: Duration::from_millis(100),
            factor: 2.0,
            most: Duration::from_millis(350),
            budget,
        }
    }

    #[test]
    fn no_more_is_tried_again_than_the_share_and_ten_a_second() {
        let (guards, retries) = (guards(), retries(Some(20)));
        let spent = |requests: u32, now| {
            (0..requests).for_each(|_| guards.earn(&retries));
            (0..1000).filter(|_| guards.spend(&retries, now)).count()
        };
        assert_eq!(spent(0, 0), 10);
        assert_eq!(spent(50, 0), 10);
        assert_eq!(spent(0, 1000), 10);
        assert_eq!(spent(100, 1999), 20);
        assert_eq!(spent(10_000, 1_000_000), 100, "no more is saved");
        assert_eq!(guards.tally.retries.get(), 150);
    }

    #[test]
    fn without_a_budget_everything_is_tried_again() {
        let guards = guards();
        assert!((0..1000).all(|_| guards.spend(&retries(None), 0)));
    }

    #[test]
    fn pauses_grow_to_the_longest() {
        let pause = |number| retries(None).pause(number).as_millis();
        assert_eq!([1, 2, 3, 4, u32::MAX].map(pause), [100, 200, 350, 350, 350]);
        let even = Retries { factor: 0.0, ..retries(None) };
        assert_eq!(even.pause(5).as_millis(), 100);
    }

    #[test]
    fn no_more_wait_than_may() {
        let guards = guards();
        let first = guards.wait(1);
        assert!(first.is_some() && guards.wait(1).is_none());
        drop(first);
        assert!(guards.wait(1).is_some());
    }
}
