//! Proofs that were used, until they expire: bounded, shared by every operation, and kept over a reload.
//!
//! A proof goes to the shard of its key, so that one client can fill its own shard and no other's. Not shared between nodes: a
//! proof can be used once at each, unless clients stay with one.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use openssl::sha::Sha256;

const SHARDS: usize = 16;
/// A shard is swept when it has doubled since the last time, and not before it has so many.
const FIRST_SWEEP: usize = 1024;

/// Whether a proof is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Again,
    NoRoom,
}

#[derive(Default)]
struct Shard {
    until: HashMap<u128, SystemTime>,
    sweep_at: usize,
    swept: Option<SystemTime>,
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

    /// Remembers the proof of that key and name until it could no longer be used.
    pub(crate) fn insert(&self, key: &[u8; 32], id: &str, until: SystemTime, now: SystemTime) -> Seen {
        let mut hash = Sha256::new();
        hash.update(key);
        hash.update(id.as_bytes());
        let [name @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = hash.finish();
        let name = u128::from_le_bytes(name);
        let room = (self.capacity.load(Ordering::Relaxed) / SHARDS).max(1);
        let mut shard = self.shards[usize::from(key[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.until.get(&name).is_some_and(|until| now <= *until) {
            return Seen::Again;
        }
        shard.sweep(room, now);
        if shard.until.len() >= room {
            return Seen::NoRoom;
        }
        shard.until.insert(name, until);
        Seen::First
    }
}

impl Shard {
    /// Forgets what expired. A full shard is not swept twice for one moment, so a flood does not pay for it each time.
    fn sweep(&mut self, room: usize, now: SystemTime) {
        let second = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let due = self.until.len() >= self.sweep_at.max(FIRST_SWEEP) || self.until.len() >= room;
        if !due || self.swept.is_some_and(|swept| second(swept) == second(now)) {
            return;
        }
        self.until.retain(|_, until| now <= *until);
        (self.sweep_at, self.swept) = (self.until.len() * 2, Some(now));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Replays, Seen};

    #[test]
    fn b09_a_full_store_takes_nothing_until_something_expires() {
        let replays = Replays::new(16 * 3);
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let insert = |id: &str, now: u64| replays.insert(&[0; 32], id, at(now + 10), at(now));
        for id in ["a", "b", "c"] {
            assert_eq!(insert(id, 100), Seen::First);
        }
        assert_eq!((insert("d", 105), insert("a", 110)), (Seen::NoRoom, Seen::Again));
        assert_eq!(replays.insert(&[1; 32], "a", at(120), at(110)), Seen::First, "another client is not concerned");
        assert_eq!((insert("d", 110), insert("a", 110)), (Seen::NoRoom, Seen::Again), "at its last moment a proof can still be used");
        assert_eq!(insert("d", 111), Seen::First);
    }

    #[test]
    fn b09_a_name_is_its_clients_own_and_free_again_when_the_proof_is_over() {
        let replays = Replays::new(16 * 10);
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // Two keys of one shard.
        for key in [[0; 32], [16; 32]] {
            assert_eq!(replays.insert(&key, "a", at(110), at(100)), Seen::First);
            assert_eq!(replays.insert(&key, "a", at(121), at(110)), Seen::Again);
            assert_eq!(replays.insert(&key, "a", at(121), at(111)), Seen::First);
        }
    }
}
