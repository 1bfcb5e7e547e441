//! Things that want attention from time to time, as long as somebody uses them.
//!
//! A registry holds them by weak reference: it shares one thing for each key and lets go of it with its last user. Nothing
//! is spawned before [`Registry::run`]; things registered earlier wait for it.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::Notify, task::JoinSet, time::Instant};

/// Something that wants attention from time to time.
pub(super) trait Tended: Send + Sync + 'static {
    /// When it wants attention next.
    fn due(&self) -> Instant;
    /// Told when [`due`](Self::due) may have become earlier, and when the thing ends.
    fn wake(&self) -> Arc<Notify>;
    /// Gives it attention; moves [`due`](Self::due) into the future.
    fn tend(self: Arc<Self>) -> impl Future<Output = ()> + Send;
}

pub(super) struct Registry<K, T> {
    known: Mutex<HashMap<K, Weak<T>>>,
    waiting: Mutex<Vec<Weak<T>>>,
    arrived: Notify,
    running: Arc<AtomicBool>,
}

impl<K, T> Default for Registry<K, T> {
    fn default() -> Self {
        Self { known: Mutex::default(), waiting: Mutex::default(), arrived: Notify::new(), running: Arc::default() }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Eq + Hash, T: Tended> Registry<K, T> {
    /// The thing of that key, made now when there is none, and whether it was there.
    pub(super) fn get_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<T, E>) -> Result<(Arc<T>, bool), E> {
        let mut known = lock(&self.known);
        if let Some(found) = known.get(&key).and_then(Weak::upgrade) {
            return Ok((found, true));
        }
        let made = Arc::new(make()?);
        known.retain(|_, thing| thing.strong_count() > 0);
        known.insert(key, Arc::downgrade(&made));
        drop(known);
        lock(&self.waiting).push(Arc::downgrade(&made));
        self.arrived.notify_one();
        Ok((made, false))
    }

    /// Every thing that is still in use.
    pub(super) fn live(&self) -> Vec<Arc<T>> {
        lock(&self.known).values().filter_map(Weak::upgrade).collect()
    }

    /// True while [`run`](Self::run) runs.
    pub(super) fn running(&self) -> Arc<AtomicBool> {
        self.running.clone()
    }

    /// Tends everything until `shutdown` ends.
    pub(super) async fn run(&self, shutdown: impl Future<Output = ()>) {
        let _running = Running::new(&self.running);
        let mut shutdown = pin!(shutdown);
        let mut tasks = JoinSet::new();
        loop {
            for thing in std::mem::take(&mut *lock(&self.waiting)) {
                tasks.spawn(keep(thing));
            }
            tokio::select! {
                () = &mut shutdown => return,
                () = self.arrived.notified() => {}
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        log::error!("a background task ended: {error}");
                    }
                }
            }
        }
    }
}

async fn keep<T: Tended>(thing: Weak<T>) {
    loop {
        let Some(live) = thing.upgrade() else { return };
        let (due, wake) = (live.due(), live.wake());
        if due <= Instant::now() {
            live.tend().await;
            continue;
        }
        drop(live);
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = wake.notified() => {}
        }
    }
}

struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn new(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
