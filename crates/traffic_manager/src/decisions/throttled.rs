//! Which keys are throttled until when, and for whom.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    bounds::{MOST_CONDITIONS, MOST_ENTRIES},
    decisions::conditions::{Facts, Group},
    json::Bad,
    shards::Shards,
};

/// What ends the key of requests to which no condition of their policy applies.
const DEFAULT: &str = "default";
/// What begins the name of a condition.
const CONDITION: &str = "condition_";

/// In how many turns the whole of it is looked through.
const TURNS: usize = 16;

/// A key, and for which requests to it a decision is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    base: String,
    /// The condition's name.
    pipeline: Option<String>,
}

impl Key {
    /// `<key>`, `<key>_default` or `<key>_condition_<number>`; the keys of APIs and operations alone have conditions.
    pub(crate) fn new(key: &str) -> Self {
        let pipeline = key.rmatch_indices('_').take(2).map(|(at, _)| (&key[..at], &key[at + 1..])).find(|(base, name)| {
            let number = name.strip_prefix(CONDITION);
            let is_number = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            base.starts_with('/') && (*name == DEFAULT || is_number)
        });
        match pipeline {
            Some((base, name)) => Self { base: base.to_owned(), pipeline: Some(name.to_owned()) },
            None => Self { base: key.to_owned(), pipeline: None },
        }
    }

    /// Whether it says nothing without its conditions.
    pub(crate) fn is_conditional(&self) -> bool {
        self.pipeline.as_deref().is_some_and(|name| name != DEFAULT)
    }
}

/// What is decided of a key. Times are the ends, in milliseconds since 1970.
#[derive(Clone, Default)]
struct Entry {
    until: Option<u64>,
    pipelines: Option<Arc<[Pipeline]>>,
}

/// What is decided of the requests to which conditions apply.
#[derive(Clone)]
struct Pipeline {
    name: Box<str>,
    until: u64,
    groups: Arc<[Group]>,
}

impl Entry {
    fn pipelines(&self) -> &[Pipeline] {
        self.pipelines.as_deref().unwrap_or_default()
    }

    fn is_empty(&self) -> bool {
        self.until.is_none() && self.pipelines().is_empty()
    }

    /// How much room it takes, in entries.
    fn weight(&self) -> usize {
        let groups = self.pipelines().iter().flat_map(|one| one.groups.iter());
        usize::from(self.until.is_some()) + self.pipelines().len() + groups.map(Group::weight).sum::<usize>()
    }

    /// Without what has passed; `None` when nothing is left.
    fn at(&self, now: u64) -> Option<Self> {
        let until = self.until.filter(|until| *until >= now);
        let live = self.pipelines().iter().filter(|one| one.until >= now);
        let pipelines = if live.clone().count() == self.pipelines().len() { self.pipelines.clone() } else { Some(live.cloned().collect()) };
        Some(Self { until, pipelines }).filter(|entry| !entry.is_empty())
    }

    fn with(self, pipeline: Option<&str>, until: Option<u64>, groups: Vec<Group>) -> Self {
        let Some(name) = pipeline else { return Self { until, ..self } };
        let mut all: Vec<Pipeline> = self.pipelines().iter().filter(|one| *one.name != *name).cloned().collect();
        all.extend(until.map(|until| Pipeline { name: name.into(), until, groups: groups.into() }));
        Self { pipelines: Some(all.into()).filter(|all: &Arc<[Pipeline]>| !all.is_empty()), ..self }
    }

    /// The end of the decision that is for a request.
    fn refuses(&self, now: u64, client: IpAddr, facts: &impl Facts) -> Option<u64> {
        if let Some(until) = self.until.filter(|until| *until >= now) {
            return Some(until);
        }
        let holds = |one: &Pipeline| one.groups.iter().any(|group| group.holds(client, facts));
        let mut live = self.pipelines().iter().filter(|one| one.until >= now);
        // What is decided by default is for those to whom none of the policy's conditions applies, and lists them.
        live.find(|one| if *one.name == *DEFAULT { !holds(one) } else { holds(one) }).map(|one| one.until)
    }
}

/// All keys.
#[derive(Default)]
pub(crate) struct Throttled {
    entries: Shards<Entry>,
    weight: AtomicUsize,
    turn: AtomicUsize,
}

impl Throttled {
    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// Until when a key is throttled for everybody.
    pub(crate) fn until(&self, key: &str, now: u64) -> Option<u64> {
        self.entries.find(key, |entry| entry.until.filter(|until| *until >= now))
    }

    /// Until when a key is throttled for a request.
    pub(crate) fn refuses(&self, key: &str, now: u64, client: IpAddr, facts: &impl Facts) -> Option<u64> {
        self.entries.find(key, |entry| entry.refuses(now, client, facts))
    }

    /// Throttles a key until then.
    pub(crate) fn set(&self, key: &Key, until: u64, groups: Vec<Group>, now: u64) -> Result<(), Bad> {
        let more = 1 + groups.iter().map(Group::weight).sum::<usize>();
        if self.weight() + more > MOST_ENTRIES {
            (0..TURNS).for_each(|turn| self.sweep(turn, now));
        }
        let room = MOST_ENTRIES.saturating_sub(self.weight());
        let mut kept = Ok(());
        self.change(key, now, |entry| {
            let after = entry.clone().with(key.pipeline.as_deref(), Some(until), groups);
            kept = if after.weight() > entry.weight() + room {
                Err(Bad("a decision for which there is no room"))
            } else if after.pipelines().len() > MOST_CONDITIONS {
                Err(Bad("a decision with too many conditions for one key"))
            } else {
                return after;
            };
            entry
        });
        kept
    }

    /// Throttles a key no more.
    pub(crate) fn remove(&self, key: &Key, now: u64) {
        self.change(key, now, |entry| entry.with(key.pipeline.as_deref(), None, Vec::new()));
    }

    fn change(&self, key: &Key, now: u64, change: impl FnOnce(Entry) -> Entry) {
        self.entries.change(&key.base, |old| {
            let before = old.map_or(0, Entry::weight);
            let new = change(old.and_then(|old| old.at(now)).unwrap_or_default());
            self.count(before, new.weight());
            Some(new).filter(|new| !new.is_empty())
        });
    }

    /// Lets go of a part of what has passed.
    pub(crate) fn tick(&self, now: u64) {
        self.sweep(self.turn.fetch_add(1, Ordering::Relaxed) % TURNS, now);
    }

    fn sweep(&self, turn: usize, now: u64) {
        self.entries.sweep(turn, TURNS, |_, entry| {
            let before = entry.weight();
            *entry = entry.at(now).unwrap_or_default();
            self.count(before, entry.weight());
            !entry.is_empty()
        });
    }

    fn count(&self, before: usize, after: usize) {
        self.weight.fetch_add(after, Ordering::Relaxed);
        self.weight.fetch_sub(before, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "../tests/throttled.rs"]
mod tests;
