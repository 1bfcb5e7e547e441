//! Asks about a token once for all who hold it, and remembers the answer for a moment.
//!
//! A question belongs to everybody who waits for it: when the first one goes away, the others carry it on; when all have, it
//! ends. Good and bad tokens have room of their own, so that a flood of made-up ones drives out no good one.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{FutureExt, Shared, WeakShared};
use tollgate_filter_api::Clock;
use tollgate_recent::Recent;

use crate::{answer::Grant, config};

/// By the token's SHA-256.
pub(crate) type Key = [u8; 32];
/// A token that is active, or one that is not.
pub(crate) type Known = Option<Arc<Grant>>;
/// What the issuer said, or why it said nothing.
pub(crate) type Said = Result<Known, String>;
type Question = Pin<Box<dyn Future<Output = Said> + Send>>;

/// What a lookup finds.
pub(crate) enum Lookup {
    /// An answer that is remembered.
    Known(Known),
    /// A question that is on its way already.
    Pending(Shared<Question>),
    /// A question that was sent just now.
    Started(Shared<Question>),
}

/// Shared by all operations with the same settings.
pub(crate) struct Asker {
    good: Recent<Key, (Arc<Grant>, Instant)>,
    bad: Recent<Key, Instant>,
    ttl: Duration,
    negative_ttl: Duration,
    clock: Arc<dyn Clock>,
    flights: Mutex<Flights>,
}

#[derive(Default)]
struct Flights {
    number: u64,
    flying: HashMap<Key, (u64, WeakShared<Question>)>,
}

/// Takes its flight off the list, however it ends.
struct Landing {
    asker: Arc<Asker>,
    key: Key,
    number: u64,
}

impl Asker {
    pub(crate) fn new(cache: &config::Cache, clock: Arc<dyn Clock>) -> Self {
        let (ttl, negative_ttl) = (cache.ttl.0, cache.negative_ttl.0);
        let (good, bad) = (Recent::new(cache.entries), Recent::new(cache.entries));
        Self { good, bad, ttl, negative_ttl, clock, flights: Mutex::default() }
    }

    /// What is remembered of a token, else the question on its way, else this one.
    pub(crate) fn find<Q>(self: &Arc<Self>, key: Key, now: Instant, question: impl FnOnce() -> Q) -> Lookup
    where
        Q: Future<Output = Said> + Send + 'static,
    {
        if let Some(known) = self.remembered(&key, now) {
            return Lookup::Known(known);
        }
        let mut flights = self.flights();
        if let Some(flight) = flights.flying.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return Lookup::Pending(flight);
        }
        // It may have landed since; answers are remembered before their flight leaves the list.
        if let Some(known) = self.remembered(&key, now) {
            return Lookup::Known(known);
        }
        flights.number += 1;
        let landing = Landing { asker: self.clone(), key, number: flights.number };
        let question = question();
        let flight: Question = Box::pin(async move {
            let said = question.await;
            if let Ok(known) = &said {
                landing.asker.remember(key, known.clone());
            }
            drop(landing);
            said
        });
        let flight = flight.shared();
        if let Some(weak) = flight.downgrade() {
            let number = flights.number;
            flights.flying.insert(key, (number, weak));
        }
        Lookup::Started(flight)
    }

    fn remembered(&self, key: &Key, now: Instant) -> Option<Known> {
        let good = self.good.find(key, |(grant, until)| (now < *until).then(|| Some(grant.clone())));
        good.or_else(|| self.bad.find(key, |until| (now < *until).then_some(None)))
    }

    fn remember(&self, key: Key, known: Known) {
        let now = self.clock.instant();
        match known {
            Some(grant) if !self.ttl.is_zero() => self.good.put(key, (grant, now + self.ttl)),
            None if !self.negative_ttl.is_zero() => self.bad.put(key, now + self.negative_ttl),
            _ => {}
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.asker.flights();
        // All who waited may have gone and somebody else asked anew since.
        if flights.flying.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            flights.flying.remove(&self.key);
        }
    }
}

#[cfg(test)]
#[path = "asker_tests.rs"]
mod tests;
