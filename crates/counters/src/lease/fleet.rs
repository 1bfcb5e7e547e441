//! How many gateways share the quotas, and whether their store can be reached.

use std::sync::atomic::{AtomicU64, Ordering};

/// Both in one word, so that they are read together.
#[derive(Debug)]
pub(crate) struct Fleet(AtomicU64);

/// What the lender last said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// 0 as long as nobody knows.
    pub nodes: u32,
    pub away: bool,
}

const AWAY: u64 = 1 << 32;

impl Fleet {
    /// No store yet, and nobody knows how many gateways there are: nothing is shared, and nothing passes.
    pub fn unknown() -> Self {
        Self(AtomicU64::new(AWAY))
    }

    pub fn set(&self, nodes: u32, away: bool) {
        self.0.store(u64::from(nodes) | if away { AWAY } else { 0 }, Ordering::Relaxed);
    }

    pub fn get(&self) -> Known {
        let word = self.0.load(Ordering::Relaxed);
        Known { nodes: word as u32, away: word & AWAY != 0 }
    }
}

impl Known {
    /// One gateway's part of that number.
    pub fn part(self, number: u64) -> u64 {
        number.checked_div(u64::from(self.nodes)).unwrap_or(0)
    }
}
