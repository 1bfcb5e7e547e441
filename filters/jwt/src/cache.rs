//! Tokens that were verified, by the whole token: found by a keyed hash that no sender can foretell, then compared byte by
//! byte, so that two tokens are never taken for each other.
//!
//! Bounded by count; what is found must still be judged by its times and the generation of its keys. Refused tokens are not
//! remembered: there is no end to them, and each costs at most one signature check. Several shards, so that cores rarely meet.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tollgate_filter_api::Principal;

use crate::{binding::Confirmation, claims::Window};

/// More shards than cores that one gateway is given.
const SHARDS: usize = 64;

/// What is remembered of a token.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Who it speaks of.
    pub principal: Principal,
    /// What its sender must have.
    pub confirmation: Confirmation,
    /// When it may be used.
    pub window: Window,
    /// Place of its issuer in the verifier's list.
    pub issuer: usize,
    /// Generation of the keys it was verified with.
    pub generation: u64,
}

/// A bounded set of verified tokens.
pub(crate) struct Cache {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

struct Slot {
    hash: u64,
    token: Box<str>,
    entry: Entry,
    /// Whether it was asked for since the hand passed.
    used: bool,
}

/// When it is full, a hand goes round and replaces the first entry that was not used since its last round.
struct Shard {
    places: HashMap<u64, usize>,
    slots: Vec<Slot>,
    hand: usize,
    capacity: usize,
}

impl Cache {
    /// Room for that many tokens; none for 0.
    pub(crate) fn new(entries: usize) -> Self {
        let shards = entries.min(SHARDS);
        let shard = |i: usize| Shard {
            places: HashMap::new(),
            slots: Vec::new(),
            hand: 0,
            capacity: entries / shards + usize::from(i < entries % shards),
        };
        Self { shards: (0..shards).map(|i| Mutex::new(shard(i))).collect(), hasher: RandomState::new() }
    }

    /// What is remembered of that token.
    pub(crate) fn get(&self, token: &str) -> Option<Entry> {
        let hash = self.hasher.hash_one(token);
        let mut shard = self.shard(hash)?;
        let place = *shard.places.get(&hash)?;
        let slot = shard.slots.get_mut(place).filter(|slot| *slot.token == *token)?;
        slot.used = true;
        Some(slot.entry.clone())
    }

    /// Remembers a token, in place of another when there is no room.
    pub(crate) fn put(&self, token: &str, entry: Entry) {
        let hash = self.hasher.hash_one(token);
        let Some(mut shard) = self.shard(hash) else { return };
        let slot = Slot { hash, token: token.into(), entry, used: false };
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

    /// How many tokens are remembered, and how many places are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.map(|shard| (shard.slots.len(), shard.places.len())).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard>> {
        let place = hash.checked_rem(self.shards.len() as u64)?;
        Some(self.shards[place as usize].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    fn replace(&mut self, slot: Slot) {
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
