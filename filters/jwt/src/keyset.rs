//! The keys of one issuer, as fresh as their sources, read without a lock.
//!
//! Each source is a document that the gateway keeps at hand. A new version is parsed once, by the request that meets it first. A
//! version that cannot be read leaves the keys before it in use; keys that no source has confirmed for `max_age` are not used
//! any more, and then it cannot be told whether a token is good: that is a fault, not a refusal.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tollgate_filter_api::{Counter, Document, Fault, Gauge};
use tollgate_jose::{Format, Jws, Key, parse};

use crate::reasons::{Failure, KEYS_UNAVAILABLE, Refusal, Refuse, SIGNATURE, UNKNOWN_KEY};

/// How soon a client may ask again when keys are missing: the least time between two fetches.
const RETRY: Duration = Duration::from_secs(10);
/// How often sources are asked when they last confirmed their keys, so that it is known when a broken version follows.
const LOOK: Duration = Duration::from_secs(30);
/// The same, while keys are missing.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// Names of removed keys that are remembered: as many as a set may have.
const REMOVED: usize = 64;

/// One place that keys come from.
pub(crate) struct Source {
    /// Its content.
    pub document: Arc<dyn Document>,
    /// How to read it.
    pub format: Format,
}

/// What is known of a source's content.
#[derive(Default)]
struct Loaded {
    /// Number of the version looked at last.
    seen: u64,
    /// Keys of the last version that could be read.
    keys: Option<Arc<[Arc<Key>]>>,
    /// When the source last confirmed them, as far as was seen.
    confirmed: Option<SystemTime>,
    /// Whether the last version could not be read.
    broken: bool,
}

/// Series of one issuer.
pub(crate) struct Meters {
    /// Usable keys.
    pub keys: Gauge,
    /// Versions that could not be read.
    pub unreadable: Counter,
    /// Refreshes asked for because of a token.
    pub asked: Counter,
}

/// The keys at one moment.
struct Snapshot {
    /// Versions of the sources it was made from.
    seen: Box<[u64]>,
    keys: Vec<Arc<Key>>,
    /// Names of keys that their source has removed, the last ones.
    removed: Arc<[String]>,
    /// Counts up when keys change; what was verified with an earlier one is verified again.
    generation: u64,
    /// Whether every source had keys that are young enough.
    complete: bool,
    /// Until when it may be used without asking the sources for their age.
    until: SystemTime,
}

/// The keys of one issuer.
pub(crate) struct KeyRing {
    issuer: String,
    sources: Vec<Source>,
    max_age: Duration,
    snapshot: ArcSwap<Snapshot>,
    loaded: Mutex<Vec<Loaded>>,
    meters: Meters,
}

/// The key that made a signature, and the generation it is of.
#[derive(Debug)]
pub(crate) struct Proof {
    /// The key.
    pub key: Arc<Key>,
    /// See [`KeyRing::generation`].
    pub generation: u64,
}

impl KeyRing {
    /// A ring over these sources; reads what they have by now.
    pub(crate) fn new(issuer: &str, sources: Vec<Source>, max_age: Duration, meters: Meters, now: SystemTime) -> Self {
        let loaded = sources.iter().map(|_| Loaded::default()).collect();
        let nothing = Snapshot {
            seen: Box::default(),
            keys: Vec::new(),
            removed: Arc::default(),
            generation: 0,
            complete: false,
            until: SystemTime::UNIX_EPOCH,
        };
        let (issuer, snapshot) = (issuer.to_owned(), ArcSwap::from_pointee(nothing));
        let ring = Self { issuer, sources, max_age, snapshot, loaded: Mutex::new(loaded), meters };
        ring.reload(now);
        ring
    }

    /// Stamp of the keys in use; another one says that what was verified before has to be verified again.
    pub(crate) fn generation(&self, now: SystemTime) -> u64 {
        let snapshot = self.snapshot.load();
        if self.is_current(&snapshot, now) {
            return snapshot.generation;
        }
        drop(snapshot);
        self.reload(now).generation
    }

    /// Finds the key that made the token's signature. Asks the sources for newer content, once, when none of the keys at hand
    /// can be the one that is meant.
    pub(crate) async fn prove(&self, jws: &Jws<'_>, now: SystemTime) -> Result<Proof, Failure> {
        let snapshot = self.current(now);
        if let Some(proof) = snapshot.prove(jws, now) {
            return Ok(proof);
        }
        if snapshot.knows(jws.kid.as_deref()) {
            return Err(self.failure(&snapshot, jws, now));
        }
        self.refresh().await;
        let newer = self.current(now);
        if newer.generation != snapshot.generation
            && let Some(proof) = newer.prove(jws, now)
        {
            return Ok(proof);
        }
        if newer.may_know(jws.kid.as_deref()) || newer.has_removed(jws.kid.as_deref()) || self.confirmed_since(now) {
            return Err(self.failure(&newer, jws, now));
        }
        // The source may have it by now, and was asked too short a while ago, or is away.
        Err(self.undecided("the token's is not known, and their source cannot be asked now"))
    }

    fn undecided(&self, why: &str) -> Failure {
        Failure::Undecided(Fault::new(KEYS_UNAVAILABLE, format!("the keys of {}: {why}", self.issuer)).retry_after(RETRY))
    }

    fn failure(&self, snapshot: &Snapshot, jws: &Jws<'_>, now: SystemTime) -> Failure {
        if !snapshot.complete && !snapshot.knows(jws.kid.as_deref()) {
            return self.undecided("a source has not loaded, or what it said is older than `max_age`");
        }
        snapshot.refusal(jws, now).into()
    }

    /// Whether every source said since then what its keys are.
    fn confirmed_since(&self, time: SystemTime) -> bool {
        self.sources.iter().all(|source| source.document.confirmed().is_some_and(|confirmed| confirmed >= time))
    }

    /// How many keys of that source can be used; `None` when it has not been read yet, or not successfully.
    pub(crate) fn usable(&self, source: usize) -> Option<usize> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.get(source)?.keys.as_ref().map(|keys| keys.len())
    }

    /// Asks every source at once; one that is down delays no other.
    async fn refresh(&self) {
        self.meters.asked.inc();
        let mut fetches: Vec<_> = self.sources.iter().map(|source| source.document.refresh()).collect();
        poll_fn(|cx| {
            fetches.retain_mut(|fetch| fetch.as_mut().poll(cx).is_pending());
            if fetches.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn current(&self, now: SystemTime) -> Arc<Snapshot> {
        let snapshot = self.snapshot.load_full();
        if self.is_current(&snapshot, now) { snapshot } else { self.reload(now) }
    }

    fn is_current(&self, snapshot: &Snapshot, now: SystemTime) -> bool {
        now < snapshot.until
            && snapshot.seen.len() == self.sources.len()
            && self.sources.iter().zip(&snapshot.seen).all(|(source, seen)| source.document.number() == *seen)
    }

    /// Looks at every source again. Whoever comes second finds it done.
    fn reload(&self, now: SystemTime) -> Arc<Snapshot> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.snapshot.load_full();
        if self.is_current(&before, now) {
            return before;
        }
        for (source, loaded) in self.sources.iter().zip(loaded.iter_mut()) {
            self.read(source, loaded);
        }
        let after = Arc::new(self.snapshot_of(&loaded, &before, now));
        self.meters.keys.set(i64::try_from(after.keys.len()).unwrap_or(i64::MAX));
        self.snapshot.store(after.clone());
        after
    }

    /// Reads a source's content when it is another than last time.
    fn read(&self, source: &Source, loaded: &mut Loaded) {
        let version = source.document.version();
        let number = version.as_ref().map_or(0, |version| version.number);
        if number != std::mem::replace(&mut loaded.seen, number) {
            match version.and_then(|version| parse(source.format, &version.bytes)) {
                Some(keys) => (loaded.keys, loaded.broken) = (Some(keys), false),
                None => {
                    self.meters.unreadable.inc();
                    loaded.broken = true;
                }
            }
        }
        if !loaded.broken {
            loaded.confirmed = source.document.confirmed();
        }
    }

    fn snapshot_of(&self, loaded: &[Loaded], before: &Snapshot, now: SystemTime) -> Snapshot {
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

impl Snapshot {
    /// Keys that may be meant: those of that name and those without one; all, when the token names none.
    fn candidates<'a>(&'a self, jws: &'a Jws<'_>, now: SystemTime) -> impl Iterator<Item = &'a Arc<Key>> {
        self.keys.iter().filter(move |key| {
            let named = jws.kid.is_none() || key.kid.is_none() || key.kid == jws.kid;
            named && key.fits(jws.algorithm, now)
        })
    }

    fn prove(&self, jws: &Jws<'_>, now: SystemTime) -> Option<Proof> {
        let key = self.candidates(jws, now).find(|key| key.verify(jws.algorithm, jws.input, &jws.signature))?;
        Some(Proof { key: key.clone(), generation: self.generation })
    }

    /// Whether a key of that name is there, so that asking again would bring nothing.
    fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)))
    }

    /// Whether a key is there that may be the one of that name.
    fn may_know(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.keys.iter().any(|key| key.kid.as_deref().is_none_or(|name| Some(name) == kid))
    }

    /// Whether its source took a key of that name back: then it is no new one that the source has not told of yet.
    fn has_removed(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.removed.iter().any(|name| name == kid))
    }

    /// What is removed when these keys take the place of its own.
    fn removed_by(&self, keys: &[Arc<Key>]) -> Arc<[String]> {
        let is_there = |name: &String| keys.iter().any(|key| key.kid.as_ref() == Some(name));
        let mut names: Vec<String> = Vec::new();
        for name in self.keys.iter().filter_map(|key| key.kid.as_ref()).chain(self.removed.iter()) {
            if names.len() < REMOVED && !is_there(name) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names.into()
    }

    fn refusal(&self, jws: &Jws<'_>, now: SystemTime) -> Refusal {
        if self.candidates(jws, now).next().is_some() {
            return SIGNATURE.refusal();
        }
        let kid: String = jws.kid.as_deref().unwrap_or_default().chars().take(64).collect();
        UNKNOWN_KEY.because(format!("kid {kid:?}, algorithm {:?}", jws.algorithm))
    }
}
