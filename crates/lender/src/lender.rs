//! The end at which requests ask and wait.

use std::{
    collections::{HashMap, hash_map::RandomState},
    future::Future,
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use tokio::sync::Notify;
use tollgate_counters::{Key, Question};

use crate::borrower::{Borrower, Observer};

/// Most questions that wait for the next call.
const QUEUE: usize = 20_000;

/// Takes questions for the store. Keep one for all settings; [`run`](crate::run) asks what it holds.
pub struct Lender {
    pub(crate) borrower: Arc<dyn Borrower>,
    pub(crate) observer: Arc<dyn Observer>,
    /// Who this gateway is among those that share the store.
    pub(crate) id: String,
    /// Whether a store has answered before.
    pub(crate) served: AtomicBool,
    queue: Mutex<Queue>,
    pub(crate) arrived: Notify,
    waiting: Mutex<HashMap<Key, Arc<Notify>>>,
}

#[derive(Default)]
struct Queue {
    open: bool,
    /// How many have opened it.
    opened: u64,
    questions: Vec<Question>,
}

impl Lender {
    /// One that answers nothing until it is [run](crate::run).
    pub fn new(borrower: Arc<dyn Borrower>, observer: Arc<dyn Observer>) -> Arc<Self> {
        let random = RandomState::new();
        let id = format!("{:016x}{:016x}", random.hash_one(0_u8), random.hash_one(1_u8));
        let (queue, arrived, waiting) = (Mutex::default(), Notify::new(), Mutex::default());
        Arc::new(Self { borrower, observer, id, served: AtomicBool::new(false), queue, arrived, waiting })
    }

    /// Asks a question, soon. Never waits: a question for which there is no place is unanswered at once.
    pub fn ask(&self, question: Question) {
        let mut queue = lock(&self.queue);
        if queue.open && queue.questions.len() < QUEUE {
            queue.questions.push(question);
            drop(queue);
            return self.arrived.notify_one();
        }
        let full = queue.open;
        drop(queue);
        if full {
            self.observer.lost();
        }
        self.give_up(&question);
    }

    /// Wakes when the question of this key is answered or given up. Counted from this call, not from the first poll: so look once more after it
    /// whether there is still something to wait for. It may wait for ever when nobody asked, so limit it.
    pub fn answered(&self, key: Key) -> impl Future<Output = ()> + Send + 'static {
        lock(&self.waiting).entry(key).or_default().clone().notified_owned()
    }

    pub(crate) fn wake(&self, key: Key) {
        if let Some(waiting) = lock(&self.waiting).remove(&key) {
            waiting.notify_waiters();
        }
    }

    pub(crate) fn give_up(&self, question: &Question) {
        self.borrower.unanswered(question);
        self.wake(question.key);
    }

    /// Everything that was asked since the last call.
    pub(crate) fn take(&self) -> Vec<Question> {
        std::mem::take(&mut lock(&self.queue).questions)
    }

    /// Forgets those for whom nobody waits any more: their question was never asked, or their time was over.
    pub(crate) fn tidy(&self) {
        lock(&self.waiting).retain(|_, waiting| Arc::strong_count(waiting) > 1);
    }

    /// From now on questions are taken. Says by what name to close it.
    pub(crate) fn open(&self) -> u64 {
        let mut queue = lock(&self.queue);
        queue.open = true;
        queue.opened += 1;
        queue.opened
    }

    /// From now on none are, and those that wait are given up, unless somebody else has opened it since: a task that is ended may go on for a
    /// moment beside the one that takes its place. Whether it was closed.
    pub(crate) fn close(&self, opened: u64) -> bool {
        let mut queue = lock(&self.queue);
        if queue.opened != opened {
            return false;
        }
        queue.open = false;
        let questions = std::mem::take(&mut queue.questions);
        drop(queue);
        questions.iter().for_each(|question| self.give_up(question));
        true
    }
}

/// Nothing is left half done by who panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Lender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lender").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "lender_tests.rs"]
mod tests;
