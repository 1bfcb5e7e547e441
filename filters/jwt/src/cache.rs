//! Tokens that were verified, by the SHA-256 of the whole token.
//!
//! Bounded by count; what is found must still be judged by its times and the generation of its keys. Refused tokens are not
//! remembered: there is no end to them, and each costs at most one signature check. Several shards, so that cores rarely meet.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use openssl::sha::Sha256;
use tollgate_filter_api::Principal;

use crate::claims::Window;

/// More shards than cores that one gateway is given.
const SHARDS: usize = 64;

/// A token by its hash; two tokens with one hash are not to be found.
pub(crate) type TokenHash = [u8; 32];

/// What is remembered of a token.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Who it speaks of.
    pub principal: Principal,
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
}

struct Slot {
    hash: TokenHash,
    entry: Entry,
    /// Whether it was asked for since the hand passed.
    used: bool,
}

/// When it is full, a hand goes round and replaces the first entry that was not used since its last round.
struct Shard {
    places: HashMap<TokenHash, usize>,
    slots: Vec<Slot>,
    hand: usize,
    capacity: usize,
}

/// The hash a token is remembered by.
pub(crate) fn hash(token: &str) -> TokenHash {
    // The incremental form: the library's one-shot function looks its algorithm up anew, under a lock, each time.
    let mut hash = Sha256::new();
    hash.update(token.as_bytes());
    hash.finish()
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
        Self { shards: (0..shards).map(|i| Mutex::new(shard(i))).collect() }
    }

    /// What is remembered of that token.
    pub(crate) fn get(&self, hash: &TokenHash) -> Option<Entry> {
        let mut shard = self.shard(hash)?;
        let place = *shard.places.get(hash)?;
        // The map and the slots agree; if they ever did not, one caller would be taken for another.
        let slot = shard.slots.get_mut(place).filter(|slot| slot.hash == *hash)?;
        slot.used = true;
        Some(slot.entry.clone())
    }

    /// Remembers a token, in place of another when there is no room.
    pub(crate) fn put(&self, hash: TokenHash, entry: Entry) {
        let Some(mut shard) = self.shard(&hash) else { return };
        let slot = Slot { hash, entry, used: false };
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

    fn shard(&self, hash: &TokenHash) -> Option<MutexGuard<'_, Shard>> {
        let place = usize::from(hash[0]).checked_rem(self.shards.len())?;
        Some(self.shards[place].lock().unwrap_or_else(PoisonError::into_inner))
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
