//! Proofs that were used, until they expire: bounded, shared by every operation, and kept over a reload.
//!
//! A proof is forgotten when both clocks say that it is over. By the wall clock alone, one that was stepped ahead for a moment would make
//! every proof usable again; by the other alone, one that was stepped back would.
//!
//! A proof goes to the shard of its key, so that one client can fill its own shard and no other's. Not shared between nodes: a
//! proof can be used once at each, unless clients stay with one.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use openssl::sha::Sha256;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::Moment;

const SHARDS: usize = 16;
/// A shard is swept when it has doubled since the last time, and not before it has so many.
const FIRST_SWEEP: usize = 1024;
/// A full shard is not swept more often, so that a flood does not pay for it each time.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Whether a proof is used for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ProofUse {
    First,
    Replay,
    /// The store is full, so that nobody can say.
    NoRoom,
}

/// A proof under the name that it is remembered by.
#[derive(Clone, Copy)]
pub(crate) struct ProofName {
    shard: usize,
    digest: u128,
}

impl ProofName {
    /// The proof of that key with that `jti`.
    pub(crate) fn of(key: &[u8; 32], id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(id.as_bytes());
        let [digest @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash.finish();
        Self { shard: usize::from(key[0]) % SHARDS, digest: u128::from_le_bytes(digest) }
    }
}

/// At its last moment a proof can still be used.
fn is_over(until: &Moment, now: Moment) -> bool {
    until.wall < now.wall && until.instant < now.instant
}

#[derive(Default)]
struct Shard {
    until: HashMap<u128, Moment>,
    sweep_at: usize,
    swept: Option<Instant>,
}

/// The store.
pub(crate) struct Replays {
    shards: [Mutex<Shard>; SHARDS],
    capacity: AtomicUsize,
}

impl Replays {
    /// An empty store for so many proofs.
    pub(crate) fn new(entries: usize) -> Self {
        Self { shards: Default::default(), capacity: AtomicUsize::new(entries) }
    }

    /// The bound is another now; what is remembered stays.
    pub(crate) fn resize(&self, entries: usize) {
        self.capacity.store(entries, Ordering::Relaxed);
    }

    /// Whether the proof was used. With an end, remembers it until it could no longer be used: of two requests that bring it at once, one is
    /// the first.
    pub(crate) fn use_of(&self, name: ProofName, until: Option<SystemTime>, now: Moment) -> ProofUse {
        let room = self.room();
        let mut shard = self.shard(name);
        let use_of = shard.use_of(name, room, now);
        if let (ProofUse::First, Some(until)) = (use_of, until) {
            shard.until.insert(name.digest, Moment { wall: until, instant: now.when(until) });
        }
        use_of
    }

    /// Proofs for which a shard has room.
    fn room(&self) -> usize {
        (self.capacity.load(Ordering::Relaxed) / SHARDS).max(1)
    }

    fn shard(&self, name: ProofName) -> MutexGuard<'_, Shard> {
        self.shards[name.shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn use_of(&mut self, name: ProofName, room: usize, now: Moment) -> ProofUse {
        if self.until.get(&name.digest).is_some_and(|until| !is_over(until, now)) {
            return ProofUse::Replay;
        }
        self.sweep(room, now);
        if self.until.len() >= room { ProofUse::NoRoom } else { ProofUse::First }
    }

    /// Forgets what expired.
    fn sweep(&mut self, room: usize, now: Moment) {
        let due = self.until.len() >= self.sweep_at.max(FIRST_SWEEP) || self.until.len() >= room;
        if !due || self.swept.is_some_and(|swept| now.instant.saturating_duration_since(swept) < SWEEP_EVERY) {
            return;
        }
        self.until.retain(|_, until| !is_over(until, now));
        (self.sweep_at, self.swept) = (self.until.len() * 2, Some(now.instant));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A clock that was right from the beginning.
    struct Clock(Instant);

    impl Clock {
        fn now(&self, seconds: u64) -> Moment {
            Moment { wall: at(seconds), instant: self.0 + Duration::from_secs(seconds) }
        }

        fn wrong(&self, seconds: u64, wall: u64) -> Moment {
            Moment { wall: at(wall), ..self.now(seconds) }
        }
    }

    #[test]
    fn b09_a_full_store_takes_nothing_until_something_expires() {
        let (replays, clock) = (Replays::new(16 * 3), Clock(Instant::now()));
        let insert = |id: &str, now: u64| replays.use_of(ProofName::of(&[0; 32], id), Some(at(now + 10)), clock.now(now));
        for id in ["a", "b", "c"] {
            assert_eq!(insert(id, 100), ProofUse::First);
        }
        assert_eq!((insert("d", 105), insert("a", 110)), (ProofUse::NoRoom, ProofUse::Replay));
        assert_eq!(
            replays.use_of(ProofName::of(&[1; 32], "a"), Some(at(120)), clock.now(110)),
            ProofUse::First,
            "another client is not concerned"
        );
        assert_eq!(
            (insert("d", 110), insert("a", 110)),
            (ProofUse::NoRoom, ProofUse::Replay),
            "at its last moment a proof can still be used"
        );
        assert_eq!(insert("d", 111), ProofUse::First);
    }

    #[test]
    fn b09_a_name_is_its_clients_own_and_free_again_when_the_proof_is_over() {
        let (replays, clock) = (Replays::new(16 * 10), Clock(Instant::now()));
        // Two keys of one shard.
        for key in [[0; 32], [16; 32]] {
            assert_eq!(replays.use_of(ProofName::of(&key, "a"), Some(at(110)), clock.now(100)), ProofUse::First);
            assert_eq!(replays.use_of(ProofName::of(&key, "a"), Some(at(121)), clock.now(110)), ProofUse::Replay);
            assert_eq!(replays.use_of(ProofName::of(&key, "a"), Some(at(121)), clock.now(111)), ProofUse::First);
        }
    }

    #[test]
    fn a_clock_that_is_stepped_makes_no_proof_usable_again() {
        let (replays, clock) = (Replays::new(16), Clock(Instant::now()));
        let insert = |id: &str, now: Moment| replays.use_of(ProofName::of(&[0; 32], id), Some(now.wall + Duration::from_secs(10)), now);
        assert_eq!(insert("a", clock.now(100)), ProofUse::First);
        // A day ahead; another proof takes the chance to have the shard swept.
        assert_eq!(insert("b", clock.wrong(102, 90_000)), ProofUse::NoRoom);
        assert_eq!(insert("a", clock.now(104)), ProofUse::Replay);
        // Back for longer than the proof lasts, and then right again.
        assert_eq!(insert("a", clock.wrong(112, 52)), ProofUse::Replay);
        assert_eq!(insert("c", clock.wrong(114, 54)), ProofUse::NoRoom);
        assert_eq!(insert("a", clock.now(116)), ProofUse::First);
    }
}
