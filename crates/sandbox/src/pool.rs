//! Instances that wait for the next request, the one that was used last first: its memory is warm.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

/// Stacks among which threads are spread, so that they do not wait for each other.
const SHARDS: usize = 8;

/// What may wait in a pool.
pub trait Resident {
    /// Whether another request may have it.
    fn is_fit(&self) -> bool;
}

type Shard<V> = Mutex<Vec<Box<V>>>;

/// A bounded number of instances, those in use included.
#[derive(Debug)]
pub struct Pool<V> {
    shards: [Shard<V>; SHARDS],
    alive: Arc<AtomicU32>,
    most: u32,
}

/// The right to one instance. Given back when it is dropped, so the instance keeps it.
#[derive(Debug)]
pub struct Permit(Arc<AtomicU32>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What comes of asking a pool.
#[derive(Debug)]
pub enum Offer<V> {
    /// One that waited.
    Ready(Box<V>),
    /// None waits, and another one may be made.
    Room(Permit),
    /// As many are in use as may be.
    Busy,
}

impl<V: Resident> Pool<V> {
    /// At most so many instances.
    pub fn new(most: u32) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), alive: Arc::default(), most }
    }

    /// One that waits, or the right to make another one.
    pub fn ask(&self) -> Offer<V> {
        if let Some(ready) = self.pop(|shard| match shard.try_lock() {
            Ok(waiting) => Some(waiting),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }) {
            return Offer::Ready(ready);
        }
        if let Some(permit) = self.permit() {
            return Offer::Room(permit);
        }
        // One may wait where another thread was looking.
        self.pop(|shard| Some(shard.lock().unwrap_or_else(PoisonError::into_inner))).map_or(Offer::Busy, Offer::Ready)
    }

    fn pop<'p>(&'p self, look: impl Fn(&'p Shard<V>) -> Option<MutexGuard<'p, Vec<Box<V>>>>) -> Option<Box<V>> {
        let own = shard();
        (0..SHARDS).find_map(|step| look(&self.shards[(own + step) % SHARDS])?.pop())
    }

    /// The right to make another one.
    pub fn permit(&self) -> Option<Permit> {
        let more = |alive: u32| (alive < self.most).then_some(alive + 1);
        self.alive.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok().map(|_| Permit(self.alive.clone()))
    }

    /// Puts one back, or gives it up when it is not fit.
    pub fn give(&self, one: Box<V>) {
        if one.is_fit() {
            self.shards[shard()].lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
    }

    /// Instances, those in use included.
    pub fn alive(&self) -> u32 {
        self.alive.load(Ordering::Acquire)
    }
}

/// The stack of this thread.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    OWN.with(Cell::get)
}
