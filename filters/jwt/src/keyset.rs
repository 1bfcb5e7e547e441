//! The keys of one issuer, as fresh as their sources, read without a lock.
//!
//! Each source is a document that the gateway keeps at hand. A new version is parsed once, by the request that meets it first. A
//! version without a usable key leaves the keys before it in use; keys that no source has confirmed for `max_age` are not used
//! any more, and then it cannot be told whether a token is good: that is a fault, not a refusal. Ages are taken from the clock that
//! never steps; that of a machine that was suspended stood still, and its keys seem younger until the next fetch.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tollgate_filter_api::{Awaited, Cause, CauseKind, Fault, Moment, Rule, Shown};
use tollgate_jose::Jws;

use crate::{
    reasons::{Failure, KEYS_UNAVAILABLE, Refuse, SIGNATURE, UNKNOWN_KEY},
    snapshot::{NotProved, Proof, Snapshot},
    source::{Loaded, Meters, Source},
};

/// How soon a client may ask again when keys are missing: the least time between two fetches.
const RETRY: Duration = Duration::from_secs(10);
/// How often sources are asked when they last confirmed their keys, so that it is known when a broken version follows.
const LOOK: Duration = Duration::from_secs(30);
/// The same, while keys are missing.
const LOOK_SOON: Duration = Duration::from_secs(1);

/// The keys of one issuer.
pub(crate) struct KeyRing {
    issuer: String,
    sources: Vec<Source>,
    max_age: Duration,
    snapshot: ArcSwap<Snapshot>,
    loaded: Mutex<Vec<Loaded>>,
    meters: Meters,
}

impl KeyRing {
    /// A ring over these sources; reads what they have by now.
    pub(crate) fn new(issuer: &str, sources: Vec<Source>, max_age: Duration, meters: Meters, now: Instant) -> Self {
        let loaded = sources.iter().map(|_| Loaded::default()).collect();
        let (issuer, snapshot) = (issuer.to_owned(), ArcSwap::from_pointee(Snapshot::nothing(now)));
        let ring = Self { issuer, sources, max_age, snapshot, loaded: Mutex::new(loaded), meters };
        ring.reload(now);
        ring
    }

    /// Stamp of the keys in use; another one says that what was verified before has to be verified again.
    pub(crate) fn generation(&self, now: Instant) -> u64 {
        let snapshot = self.snapshot.load();
        if self.is_current(&snapshot, now) {
            return snapshot.generation;
        }
        drop(snapshot);
        self.reload(now).generation
    }

    /// Finds the key that made the token's signature. Asks the sources for newer content, once, when none of the keys at hand
    /// can be the one that is meant.
    pub(crate) async fn prove(&self, jws: &Jws<'_>, now: Moment) -> Result<Proof, NotProved> {
        let snapshot = self.current(now.instant);
        if let Some(proof) = snapshot.prove(jws, now) {
            return Ok(proof);
        }
        if snapshot.knows(jws.kid.as_deref()) {
            return Err(self.failure(&snapshot, jws, now));
        }
        self.refresh().await;
        let newer = self.current(now.instant);
        if newer.generation != snapshot.generation
            && let Some(proof) = newer.prove(jws, now)
        {
            return Ok(proof);
        }
        if newer.may_know(jws.kid.as_deref()) || newer.has_removed(jws.kid.as_deref()) || self.confirmed_since(now.instant) {
            return Err(self.failure(&newer, jws, now));
        }
        // The source may have it by now, and was asked too short a while ago, or is away.
        Err(self.undecided("the token's is not known, and their source cannot be asked now"))
    }

    fn undecided(&self, why: &str) -> NotProved {
        NotProved::Undecided(format!("the keys of {}: {why}", self.issuer))
    }

    fn failure(&self, snapshot: &Snapshot, jws: &Jws<'_>, now: Moment) -> NotProved {
        if !snapshot.complete && !snapshot.knows(jws.kid.as_deref()) {
            return self.undecided("a source has not loaded, or what it said is older than `max_age`");
        }
        snapshot.not_proved(jws, now)
    }

    /// Whether every source said since then what its keys are.
    fn confirmed_since(&self, time: Instant) -> bool {
        self.sources.iter().all(|source| source.document.confirmed().is_some_and(|confirmed| confirmed >= time))
    }

    /// Why that source has said no key yet that can be used.
    pub(crate) fn fault_of(&self, source: usize) -> Option<String> {
        self.loaded().get(source).filter(|loaded| loaded.keys.is_none()).map(|loaded| loaded.why().to_owned())
    }

    fn loaded(&self) -> MutexGuard<'_, Vec<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks every source at once; one that is down delays no other.
    async fn refresh(&self) {
        self.meters.refreshes.inc();
        let mut fetches: Vec<_> = self.sources.iter().map(|source| source.document.refresh()).collect();
        poll_fn(|cx| {
            fetches.retain_mut(|fetch| fetch.as_mut().poll(cx).is_pending());
            if fetches.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn current(&self, now: Instant) -> Arc<Snapshot> {
        let snapshot = self.snapshot.load_full();
        if self.is_current(&snapshot, now) { snapshot } else { self.reload(now) }
    }

    fn is_current(&self, snapshot: &Snapshot, now: Instant) -> bool {
        now < snapshot.until
            && snapshot.seen.len() == self.sources.len()
            && self.sources.iter().zip(&snapshot.seen).all(|(source, seen)| source.document.number() == *seen)
    }

    /// Looks at every source again. Whoever comes second finds it done.
    fn reload(&self, now: Instant) -> Arc<Snapshot> {
        let mut loaded = self.loaded();
        let before = self.snapshot.load_full();
        if self.is_current(&before, now) {
            return before;
        }
        for (source, loaded) in self.sources.iter().zip(loaded.iter_mut()) {
            loaded.look(source, &self.meters);
        }
        let after = Arc::new(self.snapshot_of(&loaded, &before, now));
        self.meters.keys.set(i64::try_from(after.keys.len()).unwrap_or(i64::MAX));
        self.snapshot.store(after.clone());
        after
    }

    fn snapshot_of(&self, loaded: &[Loaded], before: &Snapshot, now: Instant) -> Snapshot {
        let mut keys = Vec::new();
        let mut until = now + LOOK;
        let mut complete = true;
        for loaded in loaded {
            let end = loaded.confirmed.and_then(|confirmed| confirmed.checked_add(self.max_age));
            match (&loaded.keys, end) {
                (Some(found), Some(end)) if now < end => {
                    keys.extend(found.iter().cloned());
                    until = until.min(end);
                }
                _ => complete = false,
            }
        }
        if !complete {
            until = until.min(now + LOOK_SOON);
        }
        // Every version that was read has keys of its own, also when they say the same.
        let same = keys.len() == before.keys.len() && keys.iter().zip(&before.keys).all(|(a, b)| Arc::ptr_eq(a, b));
        let generation = if same { before.generation } else { before.generation + 1 };
        // A key that is missing with its whole source was not removed.
        let removed = if !same && complete && before.complete { before.removed_by(&keys) } else { before.removed.clone() };
        Snapshot { seen: loaded.iter().map(|loaded| loaded.seen).collect(), keys, removed, generation, complete, until }
    }
}

impl NotProved {
    /// What becomes of the token, when that setting says where the keys are.
    pub(crate) fn failure(self, jws: &Jws<'_>, keys: Rule) -> Failure {
        match self {
            Self::Wrong => SIGNATURE.refuse(Cause::new(CauseKind::Unverified, "signature of the token", keys)).into(),
            Self::UnknownKey => {
                let cause = Cause::new(CauseKind::Unverified, "`kid` of the token", keys).detail(jws.algorithm.name());
                let shown = jws.kid.as_deref().map(Shown::sent);
                UNKNOWN_KEY.refuse(shown.into_iter().fold(cause, Cause::seen)).into()
            }
            Self::Undecided(why) => Failure::Undecided(Fault::new(KEYS_UNAVAILABLE, why).retry_after(RETRY)),
        }
    }
}

impl Awaited for KeyRing {
    /// Once each source has said keys, they are there for good: that it is away later is no reason to take every gateway out of service.
    fn missing(&self, now: Instant) -> Option<String> {
        self.current(now);
        let mut missing = Vec::new();
        for (source, loaded) in self.sources.iter().zip(self.loaded().iter()) {
            if loaded.keys.is_none() {
                // Asks; nobody waits for it here.
                let _ = source.document.refresh().as_mut().poll(&mut Context::from_waker(Waker::noop()));
                missing.push(source.place.as_str());
            }
        }
        (!missing.is_empty()).then(|| format!("the keys of {} were not loaded yet, from {}", self.issuer, missing.join(", ")))
    }

    fn is_partly_there(&self) -> bool {
        self.loaded().iter().any(|loaded| loaded.keys.is_some())
    }
}
