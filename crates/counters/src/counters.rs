//! All counters of a process.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    algorithm::Rule,
    clock::{Clock, Moment, Time},
    entry::Count,
    key::{Key, SHARDS, Seed},
    lease::Fleet,
    policy::Policy,
    shard::Shard,
};

/// How many counters there may be, unless somebody says otherwise: about 0.5 GB.
pub const DEFAULT_MAX_KEYS: usize = 10_000_000;

/// Buckets of one shard that are looked at before a new key is refused.
const BEFORE_REFUSAL: usize = 64;

/// Other shards that are looked at then: the key's own may be a small one without anything to remove.
const OTHERS: usize = 8;

/// Shards that a tick tidies: all of them in 64 ticks.
const PER_TICK: usize = 64;

/// A shard on cache lines of its own.
#[repr(align(64))]
struct Place(Mutex<Shard>);

/// The counters of a process. Keep one for all configurations: counters are found by their policy's name, so they outlive a reload.
pub struct Counters {
    shards: Box<[Place]>,
    seed: Seed,
    clock: Clock,
    keys: AtomicUsize,
    max_keys: usize,
    /// The shard that the next tick begins with.
    turn: AtomicUsize,
    /// The next shard in which room is looked for.
    search: AtomicUsize,
    /// How many questions were made.
    pub(crate) questions: AtomicU64,
    pub(crate) fleet: Fleet,
}

impl Counters {
    /// None yet, and at most about `max_keys`: keys that the client did not choose are always let in, and requests in progress may each
    /// add theirs.
    pub fn new(now: Moment, max_keys: usize) -> Self {
        Self::with(Seed::random(), Clock::new(now, Time(0)), max_keys)
    }

    pub(crate) fn with(seed: Seed, clock: Clock, max_keys: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Place(Mutex::new(Shard::new()))).collect();
        Self {
            shards,
            seed,
            clock,
            keys: AtomicUsize::new(0),
            max_keys,
            turn: AtomicUsize::new(0),
            search: AtomicUsize::new(0),
            questions: AtomicU64::new(0),
            fleet: Fleet::unknown(),
        }
    }

    /// The key of a policy's counter for one caller, or one API, or whatever the parts say. Allocates nothing. Keys stay good as long as
    /// these counters live, so what is known at load can be hashed at load.
    pub fn key(&self, policy: &Policy, parts: &[&[u8]]) -> Key {
        if policy.is_shared() { self.shared_key(policy, parts).0 } else { self.seed.key(policy, parts) }
    }

    /// Counts bytes against a limit on bytes, after [`decide`](Self::decide) has let their request pass. They count in the window of now,
    /// also past the limit. Any other policy counts nothing.
    pub fn add(&self, now: Moment, policy: &Policy, key: Key, bytes: u64) {
        if !matches!(policy.rule, Rule::Bytes { .. }) || bytes == 0 {
            return;
        }
        let now = self.clock.read(now);
        let mut shard = self.lock(key);
        let now = shard.time(now);
        let found = shard.find(key);
        let count = policy.rule.roll(found.map(|(_, count)| count), now);
        self.put(&mut shard, found.map(|(bucket, _)| bucket), key, Count::of(count.until, count.number().saturating_add(bytes)));
    }

    /// Gives one unit of a concurrency limit back. Call it once for each ask that was told `counted`; [`Held`](crate::Held) does.
    pub fn release(&self, key: Key) {
        let mut shard = self.lock(key);
        let Some((bucket, count)) = shard.find(key) else { return };
        match count.number() {
            0 | 1 => self.removed(usize::from(shard.remove(key))),
            number => {
                self.put(&mut shard, Some(bucket), key, Count::of(u32::MAX, number - 1));
            }
        }
    }

    /// Removes counters whose time is over and gives unused memory back, one part of 64 at a call. For a timer: without requests nothing
    /// else does. Says how many were removed.
    pub fn tick(&self, now: Moment) -> usize {
        let now = self.clock.read(now);
        let first = self.turn.fetch_add(PER_TICK, Ordering::Relaxed);
        let mut all = 0;
        for place in (first..first + PER_TICK).filter_map(|number| self.shards.get(number % SHARDS)) {
            let mut shard = locked(place);
            shard.time(now);
            let removed = shard.tidy();
            self.removed(removed);
            all += removed;
        }
        all
    }

    /// How many counters there are, those included whose time is over and which nobody has removed yet. A counter of a shared policy takes
    /// as much memory as several others, and counts as that many.
    pub fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Bytes that the tables take. Asks every shard: not for a request.
    pub fn bytes(&self) -> usize {
        size_of_val::<[Place]>(&self.shards) + self.shards.iter().map(|place| locked(place).bytes()).sum::<usize>()
    }

    pub(crate) fn time(&self, now: Moment) -> Time {
        self.clock.read(now)
    }

    /// What the monotonic clock says, in nanoseconds since these counters were made.
    pub(crate) fn since(&self, now: Moment) -> u64 {
        self.clock.since(now)
    }

    pub(crate) fn lock(&self, key: Key) -> MutexGuard<'_, Shard> {
        self.lock_shard(key.shard)
    }

    pub(crate) fn lock_shard(&self, number: u32) -> MutexGuard<'_, Shard> {
        locked(&self.shards[number as usize])
    }

    pub(crate) fn shard_numbers(&self) -> std::ops::Range<u32> {
        0..SHARDS as u32
    }

    pub(crate) fn seed(&self) -> Seed {
        self.seed
    }

    /// Writes a counter, which was found in that bucket if it was; whether it is new.
    pub(crate) fn put(&self, shard: &mut Shard, bucket: Option<usize>, key: Key, count: Count) -> bool {
        let Some(removed) = shard.put(bucket, key, count) else { return false };
        self.added(1);
        self.removed(removed);
        true
    }

    pub(crate) fn added(&self, keys: usize) {
        self.keys.fetch_add(keys, Ordering::Relaxed);
    }

    /// Whether there is room for a new key.
    pub(crate) fn room(&self) -> bool {
        self.keys() < self.max_keys
    }

    /// As [`Counters::room`], after having looked for what can go: in the key's own shard, then in some that nobody uses right now.
    pub(crate) fn make_room(&self, shard: &mut Shard, now: Time) -> bool {
        if self.room() {
            return true;
        }
        self.removed(shard.sweep(BEFORE_REFUSAL));
        for _ in 0..OTHERS {
            if self.room() {
                return true;
            }
            let number = self.search.fetch_add(1, Ordering::Relaxed) % SHARDS;
            // Not waited for: this request holds other locks, and the order is not kept.
            if let Ok(mut other) = self.shards[number].0.try_lock() {
                other.time(now);
                self.removed(other.sweep(BEFORE_REFUSAL));
            }
        }
        self.room()
    }

    pub(crate) fn removed(&self, keys: usize) {
        if keys > 0 {
            self.keys.fetch_sub(keys, Ordering::Relaxed);
        }
    }
}

/// A thread that panicked has written whole counters or none.
fn locked(place: &Place) -> MutexGuard<'_, Shard> {
    place.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counters").field("keys", &self.keys()).field("max_keys", &self.max_keys).finish_non_exhaustive()
    }
}
