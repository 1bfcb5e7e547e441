//! The generic cell rate algorithm: the counter is the *theoretical arrival time*, when the bucket will be full again.

use crate::{
    clock::{SECOND, Time},
    entry::Count,
};

/// Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gcra {
    /// Between two requests, rounded up: never faster than the limit.
    pub interval: u64,
    /// For an empty bucket to fill: interval × burst.
    pub full: u64,
}

impl Gcra {
    pub fn left(&self, count: Count, now: Time) -> u64 {
        self.full.saturating_sub(owed(count, now)) / self.interval
    }

    pub fn until_more(&self, count: Count, left: u64, now: Time) -> u64 {
        let least = (left + 1).saturating_mul(self.interval);
        // A full bucket gets no fuller.
        if least > self.full { 0 } else { owed(count, now).saturating_sub(self.full - least) }
    }

    pub fn spend(&self, count: Count, now: Time) -> Count {
        let arrival = count.number().max(now.0).saturating_add(self.interval);
        Count::of(u32::try_from(arrival.div_ceil(SECOND)).unwrap_or(u32::MAX), arrival)
    }
}

/// Time until the bucket is full.
fn owed(count: Count, now: Time) -> u64 {
    count.number().saturating_sub(now.0)
}
