//! Asks about a token once for all who hold it, and remembers the answer for a moment.
//!
//! A question belongs to everybody who waits for it: when the first one goes away, the others carry it on. Good and bad
//! tokens have room of their own, so that a flood of made-up ones drives out no good one.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{FutureExt, Shared, WeakShared};

use crate::answer::Grant;

/// By the token's SHA-256.
pub(crate) type Key = [u8; 32];
/// What the issuer said, or why it said nothing.
pub(crate) type Said = Result<Option<Arc<Grant>>, String>;
type Question = Pin<Box<dyn Future<Output = Said> + Send>>;

#[derive(Default)]
struct Kept {
    entries: HashMap<Key, (Option<Arc<Grant>>, Instant)>,
}

/// Shared by all operations with the same settings.
#[derive(Default)]
pub(crate) struct Asker {
    good: Mutex<Kept>,
    bad: Mutex<Kept>,
    flights: Mutex<HashMap<Key, WeakShared<Question>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asker {
    /// What is remembered of a token.
    pub(crate) fn remembered(&self, key: &Key, now: Instant) -> Option<Option<Arc<Grant>>> {
        let find = |kept: &Mutex<Kept>| lock(kept).entries.get(key).filter(|(_, until)| now < *until).map(|(grant, _)| grant.clone());
        find(&self.good).or_else(|| find(&self.bad))
    }

    /// The question that is on its way, or this one.
    pub(crate) fn flight(&self, key: Key, question: impl Future<Output = Said> + Send + 'static) -> Shared<Question> {
        let mut flights = lock(&self.flights);
        if let Some(flying) = flights.get(&key).and_then(WeakShared::upgrade) {
            return flying;
        }
        let flight: Question = Box::pin(question);
        let flight = flight.shared();
        if flights.len() >= 1024 {
            flights.retain(|_, flight| flight.upgrade().is_some());
        }
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }

    /// The question was answered, or will not be.
    pub(crate) fn landed(&self, key: &Key) {
        lock(&self.flights).remove(key);
    }

    /// Remembers an answer; when there is no room, forgets what has ended, then whatever comes first.
    pub(crate) fn remember(&self, key: Key, grant: Option<Arc<Grant>>, now: Instant, ttl: Duration, room: usize) {
        if ttl.is_zero() || room == 0 {
            return;
        }
        let mut kept = lock(if grant.is_some() { &self.good } else { &self.bad });
        if kept.entries.len() >= room && !kept.entries.contains_key(&key) {
            let first = kept.entries.iter().find(|(_, (_, until))| *until <= now).or_else(|| kept.entries.iter().next());
            if let Some(first) = first.map(|(key, _)| *key).filter(|_| kept.entries.len() >= room) {
                kept.entries.remove(&first);
            }
        }
        kept.entries.insert(key, (grant, now + ttl));
    }
}
