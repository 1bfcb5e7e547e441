//! What is known of all endpoints that are looked up.
//!
//! What turns bad keeps its last good value. A key that goes takes its endpoints away; where that leaves nothing of a place that is not to be
//! empty, they serve on, and are let go of with the first endpoint that comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use tollgate_etcd::Keys;

use super::entry::Entry;
use crate::config::{Absence, DnsName, Place, Source};

/// Who said what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// etcd.
    Etcd,
    /// DNS.
    Dns,
    /// The file of the last good endpoints.
    File,
}

impl By {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Dns => "dns",
            Self::File => "file",
        }
    }
}

/// What says endpoints by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A key of etcd.
    Etcd(Arc<str>),
    /// A name.
    Dns(Arc<DnsName>),
}

impl Key {
    /// No key of a place comes before it.
    fn first(place: &Place) -> Self {
        match place {
            Place::Key(text) | Place::Prefix(text) => Self::Etcd(text.as_str().into()),
            Place::Name(name) => Self::Dns(Arc::new(name.clone())),
        }
    }

    fn is_of(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Etcd(key), Place::Key(one)) => **key == **one,
            (Self::Etcd(key), Place::Prefix(prefix)) => key.starts_with(prefix.as_str()),
            (Self::Dns(name), Place::Name(one)) => **name == *one,
            _ => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etcd(key) => write!(f, "etcd key `{}`", key.escape_debug()),
            Self::Dns(name) => write!(f, "DNS name `{name}`"),
        }
    }
}

/// What one key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: Key,
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
    /// The same, for whoever keeps it.
    pub(super) unsaved: Notify,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Key, (Arc<[Entry]>, By)>,
    /// Keys of `known` that are not there any more.
    gone: BTreeSet<Key>,
    /// etcd was read whole once, so that what is not known is not there.
    listed: bool,
    /// Except for these, which it did not let us read.
    unread: Vec<Keys>,
    changed: Changed,
}

/// What has changed since somebody asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    everything: bool,
    keys: BTreeSet<Key>,
}

impl Changed {
    /// Whether a source may have changed.
    pub(super) fn touches(&self, source: &Source) -> bool {
        self.everything || self.keys.iter().any(|key| key.is_of(&source.place))
    }
}

impl Directory {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.news.notify_one();
        self.unsaved.notify_one();
    }

    /// What a source says, in the order of the keys; `None` when what would serve without it is to serve.
    pub fn find(&self, source: &Source) -> Option<Vec<Found>> {
        let state = self.lock();
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for (key, (entries, by)) in state.within(&source.place) {
            let found = Found { key: key.clone(), entries: entries.clone(), by: *by };
            if state.gone.contains(key) { gone.push(found) } else { there.push(found) }
        }
        let is_known = !gone.is_empty()
            || match &source.place {
                Place::Key(text) | Place::Prefix(text) => state.listed && !state.is_unread(text),
                Place::Name(_) => false,
            };
        match source.absence {
            _ if !there.is_empty() => Some(there),
            Absence::Keep if !gone.is_empty() => Some(gone),
            Absence::Empty if is_known => Some(Vec::new()),
            Absence::Default | Absence::Keep | Absence::Empty => None,
        }
    }

    /// Whether etcd was read whole once.
    pub(super) fn is_listed(&self) -> bool {
        self.lock().listed
    }

    /// Whether anything is known of a name.
    pub(super) fn knows(&self, name: &Arc<DnsName>) -> bool {
        self.lock().known.contains_key(&Key::Dns(name.clone()))
    }

    /// A key says these endpoints.
    pub(super) fn put(&self, key: Key, entries: Arc<[Entry]>, by: By) {
        if self.lock().put(key, entries, by) {
            self.tell();
        }
    }

    /// A key is there no more.
    pub(super) fn delete(&self, key: &Key) {
        self.lock().delete(key);
        self.tell();
    }

    /// These are all keys of etcd but the unread ones; `None` for one whose value is bad. Says of how many keys that is news.
    pub(super) fn replace(&self, listing: BTreeMap<String, Option<Arc<[Entry]>>>, unread: Vec<Keys>) -> usize {
        let mut state = self.lock();
        state.unread = unread;
        let missing = |key: &&Key| {
            matches!(key, Key::Etcd(text) if !listing.contains_key(&**text) && !state.is_unread(text)) && !state.gone.contains(*key)
        };
        let missing: Vec<_> = state.known.keys().filter(missing).cloned().collect();
        missing.iter().for_each(|key| state.delete(key));
        let good = listing.into_iter().filter_map(|(key, entries)| Some((Key::Etcd(key.into()), entries?)));
        let news = good.filter(|(key, entries)| state.put(key.clone(), entries.clone(), By::Etcd)).count();
        if !std::mem::replace(&mut state.listed, true) {
            state.changed.everything = true;
        }
        drop(state);
        self.tell();
        missing.len() + news
    }

    /// Everything is to be looked at anew.
    pub(super) fn touch(&self) {
        self.lock().changed.everything = true;
        self.news.notify_one();
    }

    /// Everything that is known, and serves or may serve again.
    pub(super) fn all(&self) -> Vec<(Key, Arc<[Entry]>)> {
        self.lock().known.iter().map(|(key, (entries, _))| (key.clone(), entries.clone())).collect()
    }

    /// Lets go of what is gone and serves no source, and says how many sources are served by what is gone, and what has changed since the last
    /// call.
    pub(super) fn settle<'s>(&self, sources: impl Iterator<Item = &'s Source>) -> (usize, Changed) {
        let mut state = self.lock();
        let mut held = 0;
        if !state.gone.is_empty() {
            let keeping: BTreeSet<_> = sources.filter(|source| source.absence == Absence::Keep && state.is_bereft(&source.place)).collect();
            held = keeping.len();
            // A name that has no records is known to have none.
            let stays = |key: &Key| matches!(key, Key::Dns(_)) || keeping.iter().any(|source| key.is_of(&source.place));
            let (kept, lost): (BTreeSet<_>, BTreeSet<_>) = state.gone.iter().cloned().partition(stays);
            lost.iter().for_each(|key| drop(state.known.remove(key)));
            state.gone = kept;
        }
        (held, std::mem::take(&mut state.changed))
    }
}

impl State {
    fn is_unread(&self, key: &str) -> bool {
        self.unread.iter().any(|keys| keys.hold(key.as_bytes()))
    }

    /// The keys of a place.
    fn within<'s>(&'s self, place: &'s Place) -> impl Iterator<Item = (&'s Key, &'s (Arc<[Entry]>, By))> {
        self.known.range(Key::first(place)..).take_while(|(key, _)| key.is_of(place))
    }

    /// Whether everything that a place had is gone.
    fn is_bereft(&self, place: &Place) -> bool {
        let mut all = self.within(place).map(|(key, _)| self.gone.contains(key)).peekable();
        all.peek().is_some() && all.all(|gone| gone)
    }

    fn put(&mut self, key: Key, entries: Arc<[Entry]>, by: By) -> bool {
        let was_gone = self.gone.remove(&key);
        let same = self.known.get(&key).is_some_and(|(known, said_by)| *known == entries && *said_by == by) && !was_gone;
        if !same {
            self.known.insert(key.clone(), (entries, by));
            self.changed.keys.insert(key);
        }
        !same
    }

    fn delete(&mut self, key: &Key) {
        if self.known.contains_key(key) && self.gone.insert(key.clone()) {
            self.changed.keys.insert(key.clone());
        }
    }
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
