//! The counters of the process, and what requests in progress have taken of them.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::UNIX_EPOCH,
};

use tollgate_counters::{self as counters, Ask, Counters, Held};
use tollgate_filter_api::{Clock, Env, Gauge, Moment};

use crate::policies::{Named, Unit};

/// The counters of the process.
pub(crate) struct Shared {
    pub counters: Counters,
    clock: Arc<dyn Clock>,
    /// The second of the last tick.
    ticked: AtomicU64,
    keys: Gauge,
}

impl Shared {
    /// None yet.
    pub(crate) fn new(env: &Env, max_keys: usize) -> Self {
        let counters = Counters::new(moment(env.clock.moment()), max_keys);
        Self { counters, clock: env.clock.clone(), ticked: AtomicU64::new(0), keys: env.metrics.gauge("throttle_keys", None) }
    }

    /// Once a second, by the first request in it, lets go of counters whose time is over.
    pub(crate) fn tick(&self, now: counters::Moment) {
        let second = now.wall.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let last = self.ticked.load(Relaxed);
        if last != second && self.ticked.compare_exchange(last, second, Relaxed, Relaxed).is_ok() {
            self.counters.tick(now);
            self.keys.set(i64::try_from(self.counters.keys()).unwrap_or(i64::MAX));
        }
    }
}

/// A moment as the counters want it.
pub(crate) fn moment(moment: Moment) -> counters::Moment {
    counters::Moment { wall: moment.wall, instant: moment.instant }
}

/// What a request has taken of limits that are settled when it is over. Without an end that is told, what it holds is given back all the
/// same, when this is dropped.
#[derive(Default)]
pub struct Open {
    held: Vec<Held<Of>>,
    volumes: Vec<Volume>,
}

/// The counters behind the process's.
struct Of(Arc<Shared>);

impl Deref for Of {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0.counters
    }
}

/// A limit on bytes, which are known at the end.
struct Volume {
    shared: Arc<Shared>,
    named: Arc<Named>,
    key: counters::Key,
}

impl Open {
    /// Keeps what a limit has let a request take.
    pub(crate) fn keep(&mut self, shared: &Arc<Shared>, named: &Arc<Named>, ask: &Ask<'_>) {
        match named.unit {
            Unit::Requests => {}
            Unit::Bytes => self.volumes.push(Volume { shared: shared.clone(), named: named.clone(), key: ask.key() }),
            Unit::Concurrent if ask.told.counted => self.held.push(Held::new(Of(shared.clone()), ask.key())),
            Unit::Concurrent => {}
        }
    }

    /// The request is over, after so many bytes.
    pub(crate) fn settle(&mut self, bytes: u64) {
        self.held.clear();
        for Volume { shared, named, key } in self.volumes.drain(..) {
            shared.counters.add(moment(shared.clock.moment()), &named.policy, key, bytes);
        }
    }
}
