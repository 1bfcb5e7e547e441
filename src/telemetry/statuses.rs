//! The statuses that upstreams answered with, each by its own number: what series would be too dear for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tollgate_plan::{Api, Operation};

/// Statuses of one operation that are told apart.
const SLOTS: usize = 14;
/// Where the status stands in a slot; below it is the count.
const STATUS: u32 = 48;

/// How requests of one operation ended. Counting takes no lock.
#[derive(Debug, Default)]
pub struct Statuses {
    /// A status and its count in one word, in the order in which they came first. 0 is a slot that is free.
    slots: [AtomicU64; SLOTS],
    other: AtomicU64,
    own: AtomicU64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Answers of the upstream, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Answers whose status had no room.
    pub other: u64,
    /// Requests that the gateway answered itself, or nobody.
    pub own: u64,
}

impl Statuses {
    /// A request has ended with an answer of the upstream, or with none.
    pub fn ended(&self, answer: Option<u16>) {
        let Some(status) = answer.map(u64::from) else { return add(&self.own) };
        for slot in &self.slots {
            let mut found = slot.load(Relaxed);
            if found == 0 {
                match slot.compare_exchange(0, status << STATUS | 1, Relaxed, Relaxed) {
                    Ok(_) => return,
                    Err(other) => found = other,
                }
            }
            if found >> STATUS == status {
                return add(slot);
            }
        }
        add(&self.other);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let slots = self.slots.iter().map(|slot| slot.load(Relaxed)).filter(|slot| *slot != 0);
        Counted {
            answers: slots.map(|slot| ((slot >> STATUS) as u16, slot & ((1 << STATUS) - 1))).collect(),
            other: self.other.load(Relaxed),
            own: self.own.load(Relaxed),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// The counts of operations that some configuration has; the next one goes on with them.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<[String; 3], Weak<Statuses>>>);

impl Kept {
    /// Those of these operations.
    pub fn of<'a>(&self, operations: impl Iterator<Item = (&'a Api, &'a Operation)>) -> Vec<Arc<Statuses>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, statuses| statuses.strong_count() > 0);
        let mut found = |(api, operation): (&Api, &Operation)| {
            let slot = kept.entry([api.title.clone(), api.version.clone(), operation.id.clone()]).or_default();
            slot.upgrade().unwrap_or_else(|| {
                let fresh = Arc::default();
                *slot = Arc::downgrade(&fresh);
                fresh
            })
        };
        operations.map(&mut found).collect()
    }
}
