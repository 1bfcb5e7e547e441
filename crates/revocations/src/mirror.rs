//! etcd as an input: keys below a prefix, each of which revokes something as long as it is there.
//!
//! The last segment of a key names a token, unless the value says something else (see [`pair`]). Two keys may say
//! the same, and a deletion does not say what the value was. So only what nothing else can have said is taken back at once: what
//! values said of clients and subjects; and tokens where every key stands directly below the prefix and names its token as it is. The
//! rest stays until everything is read again: too long rather than too short.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{Bad, Differences, Feed, Full, Statement, pair, statement::What};

/// Keys whose value says what they revoke, for what can be taken back at once.
#[derive(Default)]
struct Said {
    keys: HashMap<Box<[u8]>, Statement>,
    /// How many keys name a thing.
    names: HashMap<What, usize>,
    /// Some key names a token in a way of its own, so that another one may name the same.
    ambiguous: bool,
}

impl Said {
    /// Takes note of what a key says now.
    fn note(&mut self, key: &[u8], value: &[u8], statement: &Statement) {
        if !statement.is_of_a_name() {
            self.ambiguous |= !speaks_for_itself(value) || !statement.is_plainly(key);
        } else if !speaks_for_itself(value) {
            self.insert(key, statement.clone());
        }
    }

    fn insert(&mut self, key: &[u8], statement: Statement) {
        *self.names.entry(statement.what().clone()).or_default() += 1;
        if let Some(before) = self.keys.insert(key.into(), statement) {
            self.forget(&before);
        }
    }

    /// Says what a key said, when no other one says it.
    fn remove(&mut self, key: &[u8]) -> Option<Statement> {
        let before = self.keys.remove(key)?;
        self.forget(&before).then_some(before)
    }

    /// Whether nobody names it any more.
    fn forget(&mut self, statement: &Statement) -> bool {
        let Some(count) = self.names.get_mut(statement.what()) else { return true };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.names.remove(statement.what());
        }
        last
    }
}

/// Keys of etcd on their way to the list.
pub struct Mirrored {
    feed: Arc<Feed>,
    said: Mutex<Said>,
    /// What a listing that is under way has said so far.
    listed: Mutex<Said>,
    /// Whether the view and its source should be the same, so that differences are faults.
    followed: AtomicBool,
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the key, and not its value, says what is revoked.
fn speaks_for_itself(value: &[u8]) -> bool {
    value.trim_ascii().first() != Some(&b'{')
}

impl Mirrored {
    /// Fills this input. Keys come without their prefix.
    pub fn new(feed: Arc<Feed>) -> Self {
        Self { feed, said: Mutex::default(), listed: Mutex::default(), followed: AtomicBool::new(false) }
    }

    /// A listing of everything begins.
    pub fn begin(&self) {
        *lock(&self.listed) = Said::default();
        self.feed.begin();
    }

    /// One key of the listing.
    pub fn listed(&self, key: &[u8], value: &[u8]) {
        if let Some(statement) = self.read(key, value)
            && self.feed.listed(std::slice::from_ref(&statement))
        {
            lock(&self.listed).note(key, value, &statement);
        }
    }

    /// The listing is whole; what it does not say is gone. It says everything until `revision`. With `comparable`, nothing changed
    /// while it was read: what it does not share with the view is a fault, unless the source was away.
    ///
    /// # Errors
    /// When there is no room; the old view stays, and is not complete.
    pub fn replace(&self, revision: i64, comparable: bool) -> Result<Differences, Full> {
        let differences = self.feed.replace(self.followed.swap(true, Ordering::Relaxed) && comparable)?;
        *lock(&self.said) = std::mem::take(&mut lock(&self.listed));
        self.complete(revision);
        self.feed.catch_up();
        Ok(differences)
    }

    /// A key was written.
    pub fn put(&self, key: &[u8], value: &[u8], revision: i64) {
        let mut said = lock(&self.said);
        let before = said.remove(key);
        if let Some(statement) = self.read(key, value) {
            // A failure is kept by the feed: its view is not complete.
            let _ = self.feed.add(std::slice::from_ref(&statement));
            // The same name again is not taken back in between.
            before.filter(|before| before.what() != statement.what()).inspect(|before| self.take_back(before));
            said.note(key, value, &statement);
        } else {
            before.inspect(|before| self.take_back(before));
        }
        drop(said);
        self.feed.reached(revision);
    }

    /// A key was deleted, or its lease ended.
    pub fn delete(&self, key: &[u8], revision: i64) {
        let mut said = lock(&self.said);
        if said.keys.contains_key(key) {
            said.remove(key).inspect(|before| self.take_back(before));
        } else if !said.ambiguous
            && let Ok(statement) = pair(key, b"", self.feed.now())
        {
            self.feed.remove(&[statement]);
        }
        drop(said);
        self.feed.reached(revision);
    }

    /// The source is there, and everything until this revision is known now.
    pub fn complete(&self, revision: i64) {
        self.feed.connected();
        self.feed.reached(revision);
        self.feed.complete();
    }

    /// The source is gone. What changes meanwhile is no fault of the view.
    pub fn lost(&self, cause: &str) {
        self.followed.store(false, Ordering::Relaxed);
        self.feed.lost(cause);
    }

    fn read(&self, key: &[u8], value: &[u8]) -> Option<Statement> {
        pair(key, value, self.feed.reading_time()).inspect_err(|bad: &Bad| self.feed.bad(bad)).ok()
    }

    fn take_back(&self, before: &Statement) {
        self.feed.remove(std::slice::from_ref(before));
    }
}

#[cfg(test)]
#[path = "tests/mirror.rs"]
mod tests;
