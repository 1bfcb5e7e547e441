//! A bounded map for many threads that forgets what was not used lately.
//!
//! Keys are found by a keyed hash that no sender can foretell, then compared whole, so that two keys are never taken for each
//! other. Several shards, so that cores rarely meet. Bounded by count, not by bytes. It knows no time: whoever reads says with
//! [`Recent::find`] what is still good.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// More shards than cores that one gateway is given.
const SHARDS: usize = 64;

/// At most so many values by key.
pub struct Recent<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
}

/// Takes a hash for what it is: it is keyed already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
    /// Whether it was found since the hand passed.
    used: bool,
}

/// When it is full, a hand goes round and replaces the first entry that was not used since its last round.
struct Shard<K, V> {
    places: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    slots: Vec<Slot<K, V>>,
    hand: usize,
    capacity: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// Room for that many entries; none for 0.
    pub fn new(entries: usize) -> Self {
        let shards = entries.min(SHARDS);
        let shard = |i: usize| Shard {
            places: HashMap::default(),
            slots: Vec::new(),
            hand: 0,
            capacity: entries / shards + usize::from(i < entries % shards),
        };
        Self { shards: (0..shards).map(|i| Mutex::new(shard(i))).collect(), hasher: RandomState::new() }
    }

    /// A copy of what is kept for that key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        V: Clone,
    {
        self.find(key, |value| Some(value.clone()))
    }

    /// What `read` makes of the value; an entry of which it makes nothing does not count as used. Other users of the shard
    /// wait for `read`.
    pub fn find<Q: Eq + Hash + ?Sized, R>(&self, key: &Q, read: impl FnOnce(&V) -> Option<R>) -> Option<R>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash)?;
        let place = *shard.places.get(&hash)?;
        let slot = shard.slots.get_mut(place).filter(|slot| slot.key.borrow() == key)?;
        let found = read(&slot.value);
        slot.used |= found.is_some();
        found
    }

    /// Keeps a value, in place of another when there is no room.
    pub fn put(&self, key: K, value: V) {
        let hash = self.hasher.hash_one(&key);
        let Some(mut shard) = self.shard(hash) else { return };
        let slot = Slot { hash, key, value, used: false };
        if let Some(place) = shard.places.get(&hash).copied() {
            shard.slots[place] = slot;
        } else if shard.slots.len() < shard.capacity {
            let place = shard.slots.len();
            shard.slots.push(slot);
            shard.places.insert(hash, place);
        } else {
            shard.replace(slot);
        }
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).slots.len()).sum()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard<K, V>>> {
        let place = hash.checked_rem(self.shards.len() as u64)?;
        Some(locked(&self.shards[place as usize]))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> Shard<K, V> {
    fn replace(&mut self, slot: Slot<K, V>) {
        while std::mem::take(&mut self.slots[self.hand].used) {
            self.hand = (self.hand + 1) % self.slots.len();
        }
        let hash = slot.hash;
        let old = std::mem::replace(&mut self.slots[self.hand], slot);
        self.places.remove(&old.hash);
        self.places.insert(hash, self.hand);
        self.hand = (self.hand + 1) % self.slots.len();
    }
}

impl<K, V> fmt::Debug for Recent<K, V> {
    /// Without the keys, which may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
