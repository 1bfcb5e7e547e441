//! The list. A request reads it without a lock; whoever writes takes turns.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicUsize, Ordering},
};

use arc_swap::ArcSwap;
use tollgate_filter_api::{Principal, RevokedBy};

use crate::{
    Statement,
    entry::{ALWAYS, Entry, Input, Kind, Seed},
    shard::{self, Change, SHARDS, shard_of},
};

/// Shards that one [`List::sweep`] looks through.
const SWEPT: usize = 64;

/// The list has as many entries as it may have; nothing was changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the list is full: {0} entries")]
pub struct Full(pub usize);

/// How a view differed from the one that replaced it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Entries that the new view has and the old one had not.
    pub missing: usize,
    /// Entries that the old view had and the new one has not.
    pub surplus: usize,
}

/// What was revoked. 24 bytes an entry; a look-up touches one shard and waits for nobody.
pub struct List {
    seed: Seed,
    capacity: usize,
    shards: Box<[ArcSwap<Box<[Entry]>>]>,
    kinds: [AtomicUsize; 4],
    inputs: [AtomicUsize; 3],
    /// Nothing that ends later is let go of, whatever the clock shows.
    past: AtomicU32,
    writing: Mutex<()>,
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").field("entries", &self.len()).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl List {
    /// An empty list that takes so many entries.
    pub fn new(seed: Seed, capacity: usize) -> Self {
        let empty = std::sync::Arc::<Box<[Entry]>>::default();
        let shards = (0..SHARDS).map(|_| ArcSwap::new(empty.clone())).collect();
        let past = AtomicU32::new(u32::MAX);
        Self { seed, capacity, shards, kinds: Default::default(), inputs: Default::default(), past, writing: Mutex::default() }
    }

    /// Key of the digests.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Entries of all inputs.
    pub fn len(&self) -> usize {
        self.inputs.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most entries it takes.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Entries of one input.
    pub fn count(&self, input: Input) -> usize {
        self.inputs[input as usize].load(Ordering::Relaxed)
    }

    /// Puts statements in force for requests from now on.
    ///
    /// # Errors
    /// When there is no room for all of them.
    pub fn add(&self, input: Input, statements: &[Statement], now: u32) -> Result<(), Full> {
        let entries = statements.iter().flat_map(|statement| statement.entries(self.seed, input));
        self.change(entries.map(|entry| Change { entry, remove: false }).collect(), now)
    }

    /// Takes back what this input said.
    pub fn remove(&self, input: Input, statements: &[Statement], now: u32) {
        let entries = statements.iter().flat_map(|statement| statement.entries(self.seed, input));
        // Nothing is added, so there is room.
        let _ = self.change(entries.map(|entry| Change { entry, remove: true }).collect(), now);
    }

    /// From now on nothing that ends after this second is let go of.
    pub(crate) fn set_past(&self, past: u32) {
        self.past.store(past, Ordering::Relaxed);
    }

    /// What has passed for sure when the clock shows this.
    pub(crate) fn past(&self, now: u32) -> u32 {
        now.min(self.past.load(Ordering::Relaxed))
    }

    pub(crate) fn change(&self, mut changes: Vec<Change>, now: u32) -> Result<(), Full> {
        let now = self.past(now);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let added = changes.iter().filter(|change| !change.remove).count();
        if added > 0 && self.len() + added > self.capacity {
            return Err(Full(self.len()));
        }
        // Stable: what was said of one thing stays in its order.
        changes.sort_by_key(|change| change.entry.identity());
        for group in changes.chunk_by(|a, b| shard_of(a.entry.identity().0) == shard_of(b.entry.identity().0)) {
            let index = shard_of(group[0].entry.identity().0);
            self.store(index, shard::merge(&self.shards[index].load(), group, now));
        }
        Ok(())
    }

    /// One input says everything anew: what it said before and does not say now is gone.
    ///
    /// # Errors
    /// When there is no room; the old view stays.
    pub(crate) fn replace(&self, input: Input, mut view: Vec<Entry>, now: u32) -> Result<Differences, Full> {
        view.sort_unstable_by_key(Entry::identity);
        view.dedup_by(|later, kept| {
            let same = later.identity() == kept.identity();
            if same {
                *kept = kept.and(*later);
            }
            same
        });
        let now = self.past(now);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.len() - self.count(input) + view.len() > self.capacity {
            return Err(Full(self.len()));
        }
        let mut differences = Differences::default();
        let mut rest = view.as_slice();
        for index in 0..SHARDS {
            let (here, after) = rest.split_at(rest.partition_point(|entry| shard_of(entry.identity().0) <= index));
            rest = after;
            let old = self.shards[index].load();
            if here.is_empty() && old.is_empty() {
                continue;
            }
            let next = shard::replace(&old, input, here, now);
            differences.missing += next.missing;
            differences.surplus += next.surplus;
            if next.changed {
                self.store(index, next.entries);
            }
        }
        Ok(differences)
    }

    /// Lets go of what is over, a part of the list at a time; 64 turns are the whole list.
    pub fn sweep(&self, turn: usize, now: u32) {
        let (first, now) = (turn.wrapping_mul(SWEPT) % SHARDS, self.past(now));
        for index in first..first + SWEPT {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let shard = self.shards[index].load();
            if shard.iter().any(|entry| entry.is_over(now)) {
                self.store(index, shard::merge(&shard, &[], now));
            }
        }
    }

    fn store(&self, index: usize, next: Box<[Entry]>) {
        let (before, after) = (Tally::of(&self.shards[index].load()), Tally::of(&next));
        // Counted up before the entries are there and down after they are gone: a request that sees 0 misses nothing.
        self.counters().zip(before.0.iter().zip(&after.0)).for_each(|(count, (old, new))| {
            count.fetch_add(new.saturating_sub(*old), Ordering::SeqCst);
        });
        self.shards[index].store(next.into());
        self.counters().zip(before.0.iter().zip(&after.0)).for_each(|(count, (old, new))| {
            count.fetch_sub(old.saturating_sub(*new), Ordering::SeqCst);
        });
    }

    fn counters(&self) -> impl Iterator<Item = &AtomicUsize> {
        self.kinds.iter().chain(&self.inputs)
    }

    /// Whether a credential was revoked. A kind of which there is no entry costs one load.
    pub fn find(&self, credential: &Principal, now: impl Fn() -> u32) -> Option<RevokedBy> {
        let token = credential.token.as_ref();
        let id = token.and_then(|token| token.id.as_deref());
        if self.hit(Kind::TokenId, id, &now, |_| true) {
            return Some(RevokedBy::TokenId);
        }
        // The reference pads signatures, its messages do not always.
        let token_names = token.into_iter().flat_map(|token| [token.signature.as_deref(), token.twin.as_deref()]).flatten();
        if token_names.map(|name| name.trim_end_matches('=')).any(|signature| self.hit(Kind::Signature, Some(signature), &now, |_| true)) {
            return Some(RevokedBy::Signature);
        }
        let issued = token.map(|token| token.issued);
        let timed = |entry: &Entry| match issued {
            // A password or a certificate was not issued at a time: only who revokes for good means it.
            None => entry.before == ALWAYS,
            Some(None) => true,
            Some(Some(issued)) => entry.before == ALWAYS || issued < i64::from(entry.before),
        };
        if self.hit(Kind::Client, credential.client.as_deref(), &now, timed) {
            return Some(RevokedBy::Client);
        }
        self.hit(Kind::Subject, credential.subject.as_deref(), &now, timed).then_some(RevokedBy::Subject)
    }

    /// Whether anything is revoked that way.
    fn has(&self, kind: Kind) -> bool {
        self.kinds[(kind as u8).trailing_zeros() as usize].load(Ordering::SeqCst) > 0
    }

    fn hit(&self, kind: Kind, name: Option<&str>, now: impl Fn() -> u32, fits: impl Fn(&Entry) -> bool) -> bool {
        let Some(name) = name.filter(|_| self.has(kind)) else { return false };
        let digest = self.seed.digest(kind, name);
        let shard = self.shards[shard_of(digest.high)].load();
        let mut found = shard::find(&shard, digest).filter(|entry| entry.kinds() & kind as u8 != 0).peekable();
        found.peek().is_some() && {
            let now = now();
            found.any(|entry| !entry.is_over(now) && fits(entry))
        }
    }
}

/// How many entries of each kind, then of each input.
struct Tally([usize; 7]);

impl Tally {
    fn of(entries: &[Entry]) -> Self {
        let mut tally = [0; 7];
        for entry in entries {
            for (index, kind) in Kind::ALL.into_iter().enumerate() {
                tally[index] += usize::from(entry.kinds() & kind as u8 != 0);
            }
            tally[Kind::ALL.len() + usize::from(entry.input()).min(Input::ALL.len() - 1)] += 1;
        }
        Self(tally)
    }
}

#[cfg(test)]
#[path = "tests/list.rs"]
mod tests;
