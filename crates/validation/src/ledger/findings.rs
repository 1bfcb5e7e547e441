//! What was found wrong: how often, and the last few times.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use tollgate_filter_api::RequestId;

use super::record::locked;
use crate::{
    finding::{Finding, Part},
    schema::Direction,
};

/// Findings that are told apart in one operation.
const KINDS: usize = 64;
/// Last findings that are kept of one operation.
const LAST: usize = 16;
/// Findings of one message among those.
const OF_ONE: usize = 4;
/// Last findings that are kept of all operations. When there are more, each operation keeps one.
pub(super) const ALL: usize = 4_096;
/// Bytes of a text that is kept.
const TEXT: usize = 256;

/// How much is left of something that all operations share.
#[derive(Debug)]
pub(super) struct Room(pub AtomicUsize);

impl Room {
    pub fn of(size: usize) -> Self {
        Self(AtomicUsize::new(size))
    }

    /// Takes so much, when it is there.
    pub fn take(&self, size: usize) -> bool {
        self.0.try_update(Relaxed, Relaxed, |left| left.checked_sub(size)).is_ok()
    }

    pub fn give_back(&self, size: usize) {
        self.0.fetch_add(size, Relaxed);
    }
}

/// What is wrong, without where in a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Kind {
    direction: &'static str,
    part: Part,
    name: Option<Cow<'static, str>>,
    rule: Cow<'static, str>,
}

/// How often something was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// `request` or `answer`.
    pub direction: &'static str,
    /// In which part.
    pub part: Part,
    /// Of the parameter, when it is about one.
    pub name: Option<Cow<'static, str>>,
    /// The keyword, or the rule of ours.
    pub rule: Cow<'static, str>,
    /// Messages were refused for it.
    pub refused: u64,
    /// Messages went on all the same.
    pub reported: u64,
}

/// A finding, and when it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// When.
    pub at: SystemTime,
    /// In which request, or in the answer to it.
    pub request_id: RequestId,
    /// `request` or `answer`.
    pub direction: &'static str,
    /// Whether the message was refused.
    pub refused: bool,
    /// What is wrong.
    pub finding: Finding,
    has_room: bool,
}

/// The findings of one operation.
#[derive(Debug)]
pub(super) struct Findings {
    room: Arc<Room>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Refused, and reported.
    counts: HashMap<Kind, [u64; 2]>,
    other: u64,
    last: VecDeque<Found>,
}

impl Findings {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room, inner: Mutex::default() }
    }

    pub fn add(&self, direction: Direction, refused: bool, finding: &Finding, at: SystemTime, request_id: RequestId) {
        let direction = word(direction);
        let kind = Kind { direction, part: finding.part, name: finding.name.clone(), rule: finding.rule.clone() };
        let mut inner = locked(&self.inner);
        let is_full = inner.counts.len() >= KINDS;
        match inner.counts.get_mut(&kind) {
            Some(count) => count[usize::from(!refused)] += 1,
            None if is_full => inner.other += 1,
            None => {
                inner.counts.insert(kind, [u64::from(refused), u64::from(!refused)]);
            }
        }
        let of_same = |found: &&Found| found.request_id == request_id && found.direction == direction;
        if inner.last.iter().rev().take(OF_ONE).filter(of_same).count() < OF_ONE {
            let finding = shortened(finding);
            self.keep(&mut inner.last, Found { at, request_id, direction, refused, finding, has_room: false });
        }
    }

    fn keep(&self, last: &mut VecDeque<Found>, mut found: Found) {
        found.has_room = last.len() < LAST && self.room.take(1);
        if !found.has_room
            && let Some(oldest) = last.pop_front()
        {
            found.has_room = oldest.has_room;
        }
        last.push_back(found);
    }

    /// By kind, and how many were not told apart.
    pub fn counted(&self) -> (Vec<Counted>, u64) {
        let inner = locked(&self.inner);
        let mut counts: Vec<_> = inner.counts.iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        counts.sort();
        let counted = |(kind, [refused, reported]): (Kind, [u64; 2])| {
            let Kind { direction, part, name, rule } = kind;
            Counted { direction, part, name, rule, refused, reported }
        };
        (counts.into_iter().map(counted).collect(), inner.other)
    }

    /// The oldest first.
    pub fn last(&self) -> Vec<Found> {
        locked(&self.inner).last.iter().cloned().collect()
    }
}

impl Drop for Findings {
    fn drop(&mut self) {
        let used = locked(&self.inner).last.iter().filter(|found| found.has_room).count();
        self.room.give_back(used);
    }
}

pub(super) const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Answer => "answer",
    }
}

/// A pointer grows with what a client sends.
fn shortened(finding: &Finding) -> Finding {
    let mut finding = finding.clone();
    if finding.pointer.len() > TEXT {
        finding.pointer.truncate(finding.pointer.floor_char_boundary(TEXT));
        finding.pointer.push('…');
    }
    if finding.says.len() > TEXT {
        finding.says = format!("{}…", &finding.says[..finding.says.floor_char_boundary(TEXT)]).into();
    }
    finding
}
