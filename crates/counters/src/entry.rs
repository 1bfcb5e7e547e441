//! A counter as it lies in memory.

use crate::{
    clock::{SECOND, Time},
    key::Key,
};

/// Whose, and how much. 24 bytes: with 32 a key could take more than 64 bytes right after its table has doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub key: [u32; 3],
    pub count: Count,
}

const _: () = assert!(size_of::<Entry>() == 24);

impl Entry {
    pub fn hash(&self) -> u64 {
        Key::hash(&self.key)
    }

    pub fn kept(&self) -> bool {
        Key { shard: 0, bits: self.key }.kept()
    }
}

/// How much; what the numbers mean is the algorithm's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// When it means nothing any more, in seconds since 1970.
    pub until: u32,
    pub a: u32,
    pub b: u32,
}

impl Count {
    /// One number of 64 bits.
    pub fn of(until: u32, number: u64) -> Self {
        Self { until, a: (number >> 32) as u32, b: number as u32 }
    }

    pub fn number(self) -> u64 {
        u64::from(self.a) << 32 | u64::from(self.b)
    }

    pub fn over(self, now: Time) -> bool {
        u64::from(self.until) * SECOND <= now.0
    }
}
