//! What requests in progress have taken of limits that are settled when they are over.

use std::{ops::Deref, sync::Arc};

use tollgate_counters::{self as counters, Ask, Counters, Held};
use tollgate_throttling::Throttling;

use crate::limits::policies::{Named, Unit};

/// What a request has taken. Without an end that is told, what it holds is given back all the same, when this is dropped.
#[derive(Default)]
pub struct Open {
    held: Vec<Held<Of>>,
    volumes: Vec<Volume>,
}

/// The counters behind what the filters share.
struct Of(Arc<Throttling>);

impl Deref for Of {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0.counters
    }
}

/// A limit on bytes, which are known at the end.
struct Volume {
    throttling: Arc<Throttling>,
    named: Arc<Named>,
    key: counters::Key,
}

impl Open {
    /// Keeps what a limit has let a request take.
    pub(crate) fn keep(&mut self, throttling: &Arc<Throttling>, named: &Arc<Named>, ask: &Ask<'_>) {
        match named.unit {
            Unit::Requests => {}
            Unit::Bytes => self.volumes.push(Volume { throttling: throttling.clone(), named: named.clone(), key: ask.key() }),
            Unit::Concurrent if ask.told.counted => self.held.push(Held::new(Of(throttling.clone()), ask.key())),
            Unit::Concurrent => {}
        }
    }

    /// The request is over, after so many bytes.
    pub(crate) fn settle(&mut self, now: impl FnOnce() -> counters::Moment, bytes: u64) {
        self.held.clear();
        if self.volumes.is_empty() {
            return;
        }
        let now = now();
        for Volume { throttling, named, key } in self.volumes.drain(..) {
            throttling.counters.add(now, &named.policy, key, bytes);
        }
    }
}
