//! A map that requests read without a lock. Whoever writes takes turns, and copies a small part of it.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;

const SHARDS: usize = 256;

type Shard<V> = HashMap<Arc<str>, V>;

/// Values by text.
pub(crate) struct Shards<V> {
    hasher: RandomState,
    shards: Box<[ArcSwap<Shard<V>>]>,
    len: AtomicUsize,
    writing: Mutex<()>,
}

impl<V: Clone> Default for Shards<V> {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| ArcSwap::default()).collect();
        Self { hasher: RandomState::new(), shards, len: AtomicUsize::new(0), writing: Mutex::default() }
    }
}

impl<V: Clone> Shards<V> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// What is known by that name, if anything is made of it.
    pub(crate) fn find<A>(&self, name: &str, look: impl FnOnce(&V) -> Option<A>) -> Option<A> {
        if self.len() == 0 {
            return None;
        }
        self.shards[self.place(name)].load().get(name).and_then(look)
    }

    /// Puts in the place of what is known by a name what is made of it.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &self.shards[self.place(name)];
        let old = place.load();
        let Some(value) = change(old.get(name)) else {
            if old.contains_key(name) {
                let mut shard = Shard::clone(&old);
                shard.remove(name);
                self.store(place, old.len(), shard);
            }
            return;
        };
        let mut shard = Shard::clone(&old);
        match shard.get_mut(name) {
            Some(known) => *known = value,
            None => drop(shard.insert(name.into(), value)),
        }
        self.store(place, old.len(), shard);
    }

    /// Keeps of one of `parts` of the map what is to be kept.
    pub(crate) fn sweep(&self, part: usize, parts: usize, mut keep: impl FnMut(&str, &mut V) -> bool) {
        for place in self.shards.iter().skip(part % parts).step_by(parts) {
            let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let old = place.load();
            if old.is_empty() {
                continue;
            }
            let mut shard = Shard::clone(&old);
            shard.retain(|name, value| keep(name, value));
            self.store(place, old.len(), shard);
        }
    }

    fn store(&self, place: &ArcSwap<Shard<V>>, before: usize, shard: Shard<V>) {
        // Counted up before it is there and down after it is gone: a request that sees 0 misses nothing.
        self.len.fetch_add(shard.len().saturating_sub(before), Ordering::SeqCst);
        let less = before.saturating_sub(shard.len());
        place.store(Arc::new(shard));
        self.len.fetch_sub(less, Ordering::SeqCst);
    }

    fn place(&self, name: &str) -> usize {
        self.hasher.hash_one(name) as usize % SHARDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_there_is_found_until_it_is_swept() {
        let shards = Shards::default();
        let get = |name: &str| shards.find(name, |value: &usize| Some(*value));
        for number in 0..1000 {
            shards.change(&number.to_string(), |_| Some(number));
        }
        shards.change("7", |old| old.map(|old| old + 1));
        shards.change("8", |_| None);
        shards.change("none", |old| old.copied());
        assert_eq!((shards.len(), get("7"), get("8"), get("9")), (999, Some(8), None, Some(9)));
        (0..16).for_each(|part| shards.sweep(part, 16, |_, number| *number < 100));
        assert_eq!((shards.len(), get("9"), get("100")), (99, Some(9), None));
    }
}
