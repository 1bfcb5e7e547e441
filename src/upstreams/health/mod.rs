//! How an endpoint does, and whether it takes requests because of that.
//!
//! It takes none while none of its addresses can be connected to, while a check finds it ill, while it is ejected because too many of its
//! requests failed, and while its circuit breaker is open. When no endpoint of a group is ready, all of them take requests, but for those
//! whose circuit breaker is open.
//!
//! This protects requests from endpoints that fail visibly. It does not protect from one that answers wrongly and quickly with 200.

mod circuit;
mod load;
mod rolling;
mod unreachable;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

pub(super) use circuit::{Circuit, Pass};
pub(super) use load::Load;
use rolling::Rolling;
use unreachable::Rest;
pub(super) use unreachable::{REST, Unreachable};

use super::policy::{Ejection, Policy};

/// How many buckets the window of a failure rate rolls by.
const BUCKETS: u32 = 10;
/// A share that begins is not smaller than this.
const FIRST_SHARE: f64 = 0.1;
/// How many steps a share grows in.
const STEPS: u32 = 20;

/// Why an endpoint takes no requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// None of its addresses can be connected to.
    Unreachable,
    /// A check says so.
    Check(String),
    /// So many requests failed in a row.
    Failures(u32),
    /// So many percent of the requests of the window failed.
    Rate(u8),
    /// Its circuit breaker is open.
    Circuit,
    /// Its weight is 0.
    Weight,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("it cannot be connected to"),
            Self::Check(said) => write!(f, "its check failed: {said}"),
            Self::Failures(count) => write!(f, "{count} requests in a row failed"),
            Self::Rate(percent) => write!(f, "{percent} % of its requests failed"),
            Self::Circuit => f.write_str("its circuit breaker is open"),
            Self::Weight => f.write_str("its weight is 0"),
        }
    }
}

impl Why {
    /// As a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Check(_) => "check",
            Self::Failures(_) => "failures",
            Self::Rate(_) => "failure_rate",
            Self::Circuit => "circuit",
            Self::Weight => "weight",
        }
    }
}

/// Whether an endpoint takes requests.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It takes this part of its share; the part changes at that time, in milliseconds.
    Ready(f64, u64),
    /// It takes none until then.
    Out(Why, u64),
    /// One request may try it.
    Trial,
}

/// What is known of an endpoint.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) unreachable: Unreachable,
    pub(super) circuit: Option<Circuit>,
    /// Failures in a row.
    failures: AtomicU32,
    rate: Option<Rolling>,
    /// Until when it is ejected, in milliseconds; 0 when it is not.
    ejected: AtomicU64,
    ill: AtomicBool,
    /// When it began to take requests, in milliseconds; 0 for always.
    ready: AtomicU64,
    is_ready: AtomicBool,
    story: Mutex<Story>,
}

/// What is told of an endpoint. Requests do not come here.
#[derive(Debug, Default)]
struct Story {
    ejection: Option<Why>,
    /// How often it was ejected of late.
    times: u32,
    check: Option<String>,
    /// Since when it is as it is.
    since: Option<SystemTime>,
}

impl Health {
    /// Nothing is known. Of one that joins others later, so many milliseconds after the group began, the share begins small.
    pub(super) fn new(policy: &Policy, joined: Option<u64>) -> Self {
        let rate = policy.ejection.as_ref().filter(|ejection| ejection.rate > 0);
        Self {
            unreachable: Unreachable::new(),
            circuit: policy.breaker.as_ref().map(Circuit::new),
            failures: AtomicU32::new(0),
            rate: rate.map(|ejection| Rolling::new(ejection.window, ejection.window / BUCKETS)),
            ejected: AtomicU64::new(0),
            ill: AtomicBool::new(false),
            ready: AtomicU64::new(joined.unwrap_or(0)),
            is_ready: AtomicBool::new(true),
            story: Mutex::default(),
        }
    }

    /// How it stands, at a time and so many milliseconds.
    pub(super) fn standing(&self, addresses: impl FnOnce() -> Vec<SocketAddr>, at: Instant, now: u64, slow_start: Duration) -> Standing {
        let standing = self.judge(addresses, at, now);
        let is_ready = matches!(standing, Standing::Ready(..));
        if is_ready != self.is_ready.swap(is_ready, Relaxed) {
            self.story().since = Some(SystemTime::now());
            if is_ready {
                self.ready.store(now.max(1), Relaxed);
            }
        }
        if is_ready { self.share(now, slow_start) } else { standing }
    }

    fn judge(&self, addresses: impl FnOnce() -> Vec<SocketAddr>, at: Instant, now: u64) -> Standing {
        if self.ill.load(Relaxed) {
            return Standing::Out(Why::Check(self.story().check.clone().unwrap_or_default()), u64::MAX);
        }
        let ejected = self.ejected.load(Relaxed);
        if ejected > now {
            return Standing::Out(self.story().ejection.clone().unwrap_or(Why::Failures(0)), ejected);
        }
        if let Some(until) = self.circuit.as_ref().and_then(Circuit::open_until).filter(|until| *until > now) {
            return Standing::Out(Why::Circuit, until);
        }
        if self.unreachable.is_empty() {
            return Standing::Ready(1.0, u64::MAX);
        }
        match self.unreachable.of(&addresses(), at) {
            Rest::None => Standing::Ready(1.0, u64::MAX),
            Rest::Over => Standing::Trial,
            Rest::For(rest) => Standing::Out(Why::Unreachable, now.saturating_add(circuit::millis(rest)).saturating_add(1)),
        }
    }

    fn share(&self, now: u64, slow_start: Duration) -> Standing {
        let (begun, whole) = (self.ready.load(Relaxed), circuit::millis(slow_start));
        let passed = now.saturating_sub(begun);
        if begun == 0 || passed >= whole {
            return Standing::Ready(1.0, u64::MAX);
        }
        let step = circuit::millis(slow_start / STEPS).max(50);
        Standing::Ready((passed as f64 / whole as f64).max(FIRST_SHARE), now.saturating_add(step))
    }

    /// Since when it is as it is; `None`: from the beginning.
    pub(super) fn since(&self) -> Option<SystemTime> {
        self.story().since
    }

    /// Counts what came of a request, and says why it is to be ejected, if it is.
    pub(super) fn outcome(&self, ejection: &Ejection, now: u64, failed: bool) -> Option<Why> {
        if let Some(rate) = &self.rate {
            rate.count(now, failed);
        }
        if !failed {
            if self.failures.load(Relaxed) != 0 {
                self.failures.store(0, Relaxed);
            }
            return None;
        }
        let row = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        if ejection.consecutive > 0 && row >= ejection.consecutive {
            return Some(Why::Failures(row));
        }
        let (total, failures) = self.rate.as_ref()?.sum(now);
        let percent = (failures * 100).checked_div(total)?;
        let over = total >= u64::from(ejection.requests) && percent >= u64::from(ejection.rate);
        over.then(|| Why::Rate(u8::try_from(percent).unwrap_or(100)))
    }

    /// Whether it is ejected.
    pub(super) fn is_ejected(&self, now: u64) -> bool {
        self.ejected.load(Relaxed) > now
    }

    /// Ejects it, and says for how long; `None` when it is ejected already.
    pub(super) fn eject(&self, ejection: &Ejection, now: u64, why: Why) -> Option<Duration> {
        let mut story = self.story();
        let before = self.ejected.load(Relaxed);
        if before > now {
            return None;
        }
        // Who did well for as long as the longest ejection begins anew.
        let forgiven = now.saturating_sub(before) > circuit::millis(ejection.most);
        story.times = if forgiven { 1 } else { story.times.saturating_add(1) };
        let time = ejection.base.saturating_mul(1 << (story.times - 1).min(20)).min(ejection.most);
        story.ejection = Some(why);
        self.failures.store(0, Relaxed);
        self.rate.iter().for_each(Rolling::clear);
        self.ejected.store(now.saturating_add(circuit::millis(time)).max(1), Relaxed);
        Some(time)
    }

    /// What a check says: `None` for well. Whether that is news.
    pub(super) fn checked(&self, ill: Option<String>) -> bool {
        let mut story = self.story();
        let is_ill = ill.is_some();
        story.check = ill;
        self.ill.swap(is_ill, Relaxed) != is_ill
    }

    /// What came of a request that the circuit breaker counts: whether it opened or closed.
    pub(super) fn circuit_counts(&self, now: u64, failed: bool, trial: bool) -> Option<bool> {
        self.circuit.as_ref()?.count(now, failed, trial)
    }

    /// A trial of the circuit breaker came to nothing.
    pub(super) fn give_up_trial(&self) {
        self.circuit.iter().for_each(Circuit::give_up);
    }

    fn story(&self) -> std::sync::MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
