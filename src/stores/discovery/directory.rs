//! What is known of all endpoints that are looked up, by key.
//!
//! A key whose value turns bad keeps its last good one. A key that goes takes its endpoints away; where that leaves nothing of a place that
//! is not to be empty, they serve on, and are let go of with the first endpoint that comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::entry::Entry;
use crate::config::{Absence, Place, Source};

/// Who said what is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// etcd.
    Etcd,
    /// The file of the last good endpoints.
    File,
}

impl By {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::File => "file",
        }
    }
}

/// What one key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: Arc<str>,
    /// Its endpoints.
    pub entries: Arc<[Entry]>,
    /// Who said so.
    pub by: By,
}

/// What is known. Nobody who serves a request comes here.
#[derive(Debug, Default)]
pub struct Directory {
    state: Mutex<State>,
    /// Something has changed.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Arc<str>, (Arc<[Entry]>, By)>,
    /// Keys of `known` that are not there any more.
    gone: BTreeSet<Arc<str>>,
    /// Everything was listed once, so that what is not known is not there.
    listed: bool,
    changed: Changed,
}

/// What has changed since somebody asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    everything: bool,
    keys: BTreeSet<Arc<str>>,
}

impl Changed {
    /// Whether a source may have changed.
    pub(super) fn touches(&self, source: &Source) -> bool {
        self.everything || self.keys.iter().any(|key| source.place.holds(key))
    }
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a source says, in the order of the keys; `None` when what would serve without it is to serve.
    pub fn find(&self, source: &Source) -> Option<Vec<Found>> {
        let state = self.lock();
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for (key, (entries, by)) in state.within(&source.place) {
            let found = Found { key: key.clone(), entries: entries.clone(), by: *by };
            if state.gone.contains(key) { gone.push(found) } else { there.push(found) }
        }
        match source.absence {
            _ if !there.is_empty() => Some(there),
            Absence::Keep if !gone.is_empty() => Some(gone),
            Absence::Empty if state.listed => Some(Vec::new()),
            Absence::Default | Absence::Keep | Absence::Empty => None,
        }
    }

    /// A key says these endpoints.
    pub(super) fn put(&self, key: &str, entries: Arc<[Entry]>, by: By) {
        self.lock().put(key, entries, by);
        self.news.notify_one();
    }

    /// A key is there no more.
    pub(super) fn delete(&self, key: &str) {
        self.lock().delete(key);
        self.news.notify_one();
    }

    /// These are all keys; `None` for one whose value is bad. Says of how many keys that is news.
    pub(super) fn replace(&self, listing: BTreeMap<String, Option<Arc<[Entry]>>>) -> usize {
        let mut state = self.lock();
        let missing = |key: &&Arc<str>| !listing.contains_key(&***key) && !state.gone.contains(*key);
        let missing: Vec<_> = state.known.keys().filter(missing).cloned().collect();
        missing.iter().for_each(|key| state.delete(key));
        let news =
            listing.into_iter().filter(|(key, entries)| entries.as_ref().is_some_and(|entries| state.put(key, entries.clone(), By::Etcd)));
        let count = missing.len() + news.count();
        if !std::mem::replace(&mut state.listed, true) {
            state.changed.everything = true;
        }
        drop(state);
        self.news.notify_one();
        count
    }

    /// Everything is to be looked at anew.
    pub(super) fn touch(&self) {
        self.lock().changed.everything = true;
        self.news.notify_one();
    }

    /// Lets go of what is gone and serves no source, and says how many sources are served by what is gone, and what has changed since the last
    /// call.
    pub(super) fn settle<'s>(&self, sources: impl Iterator<Item = &'s Source> + Clone) -> (usize, Changed) {
        let mut state = self.lock();
        let mut held = 0;
        if !state.gone.is_empty() {
            let keeping = sources.filter(|source| source.absence == Absence::Keep && state.is_bereft(&source.place));
            let keeping: Vec<_> = keeping.collect();
            held = keeping.len();
            let (kept, lost): (BTreeSet<_>, BTreeSet<_>) =
                state.gone.iter().cloned().partition(|key| keeping.iter().any(|source| source.place.holds(key)));
            lost.iter().for_each(|key| drop(state.known.remove(key)));
            state.gone = kept;
        }
        (held, std::mem::take(&mut state.changed))
    }
}

impl State {
    /// The keys of a place.
    fn within<'s>(&'s self, place: &'s Place) -> impl Iterator<Item = (&'s Arc<str>, &'s (Arc<[Entry]>, By))> {
        let (Place::Key(first) | Place::Prefix(first)) = place;
        self.known.range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded)).take_while(|(key, _)| place.holds(key))
    }

    /// Whether everything that a place had is gone.
    fn is_bereft(&self, place: &Place) -> bool {
        let mut all = self.within(place).map(|(key, _)| self.gone.contains(key)).peekable();
        all.peek().is_some() && all.all(|gone| gone)
    }

    fn put(&mut self, key: &str, entries: Arc<[Entry]>, by: By) -> bool {
        let was_gone = self.gone.remove(key);
        let same = self.known.get(key).is_some_and(|(known, said_by)| *known == entries && *said_by == by) && !was_gone;
        if !same {
            let key: Arc<str> = key.into();
            self.known.insert(key.clone(), (entries, by));
            self.changed.keys.insert(key);
        }
        !same
    }

    fn delete(&mut self, key: &str) {
        if let Some((key, _)) = self.known.get_key_value(key) {
            self.gone.insert(key.clone());
            self.changed.keys.insert(key.clone());
        }
    }
}
