//! How each algorithm counts. Four questions to a counter: what is it now ([`Rule::roll`]), how many requests does it still let pass
//! ([`Rule::left`]), when will that be more ([`Rule::until_more`]), and what becomes of it by one request ([`Rule::spend`]).

mod fixed;
mod gcra;
mod sliding;

pub(crate) use gcra::Gcra;

use crate::{
    clock::{SECOND, Time},
    entry::Count,
    lease::Terms,
};

/// What a policy is to its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Fixed {
        limit: u64,
        window: u32,
    },
    Bytes {
        limit: u64,
        window: u32,
    },
    Sliding {
        limit: u32,
        window: u32,
    },
    Gcra(Gcra),
    Concurrent {
        limit: u64,
    },
    /// Counted by [`crate::lease`].
    Leased(Terms),
}

impl Rule {
    /// Stands for the algorithm in saved counters: never change one.
    pub fn tag(&self) -> u8 {
        match self {
            Self::Fixed { .. } => 1,
            Self::Bytes { .. } => 2,
            Self::Sliding { .. } => 3,
            Self::Gcra(_) => 4,
            Self::Concurrent { .. } => 5,
            Self::Leased(_) => 6,
        }
    }

    /// Whether a request counts when it passes. Bytes are counted when they are known.
    pub fn spends(&self) -> bool {
        !matches!(self, Self::Bytes { .. })
    }

    /// The counter at that time; a fresh one if there is none, or if its window is over. A time before the counter's window counts as the
    /// window's beginning.
    pub fn roll(&self, found: Option<Count>, now: Time) -> Count {
        match self {
            Self::Fixed { window, .. } | Self::Bytes { window, .. } => fixed::roll(*window, found, now),
            Self::Sliding { window, .. } => sliding::roll(*window, found, now),
            Self::Gcra(_) | Self::Leased(_) => found.unwrap_or_default(),
            Self::Concurrent { .. } => found.unwrap_or(Count::of(u32::MAX, 0)),
        }
    }

    /// How many requests (or bytes) it still lets pass.
    pub fn left(&self, count: Count, now: Time) -> u64 {
        match self {
            Self::Fixed { limit, .. } | Self::Bytes { limit, .. } | Self::Concurrent { limit } => limit.saturating_sub(count.number()),
            Self::Sliding { limit, window } => sliding::left(*limit, *window, count, now),
            Self::Gcra(gcra) => gcra.left(count, now),
            Self::Leased(_) => 0,
        }
    }

    /// Nanoseconds until more is left than `left`, if nothing else is counted.
    pub fn until_more(&self, count: Count, left: u64, now: Time) -> u64 {
        match self {
            Self::Fixed { .. } | Self::Bytes { .. } => fixed::rest(count, now),
            Self::Sliding { limit, window } => sliding::until_more(*limit, *window, count, left, now),
            Self::Gcra(gcra) => gcra.until_more(count, left, now),
            Self::Leased(_) => 0,
            // Nobody knows how long the others take.
            Self::Concurrent { .. } => {
                if left == 0 {
                    SECOND
                } else {
                    0
                }
            }
        }
    }

    /// The counter after one request.
    pub fn spend(&self, count: Count, now: Time) -> Count {
        match self {
            Self::Fixed { .. } | Self::Concurrent { .. } => Count::of(count.until, count.number().saturating_add(1)),
            Self::Bytes { .. } | Self::Leased(_) => count,
            Self::Sliding { .. } => Count { a: count.a.saturating_add(1), ..count },
            Self::Gcra(gcra) => gcra.spend(count, now),
        }
    }
}
