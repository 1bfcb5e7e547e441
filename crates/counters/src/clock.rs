//! The time by which windows roll. It follows the wall clock forward, and never goes back.
//!
//! When the wall clock is set back, time goes on at the pace of the monotonic clock: windows end when they would have ended, and
//! none is opened a second time. From then on they begin as much too early as the clock was wrong, until the wall clock catches up or
//! the process restarts. When the wall clock is set forward, the current windows end early.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Nanoseconds in a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The wall clock is not followed past this (2095), so that the end of every window fits 32 bits.
const LATEST: Duration = Duration::from_secs(3_950_000_000);

/// One moment on both clocks. Read the wall clock first: a thread that is held up between the two must not make time jump ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Where windows begin and end.
    pub wall: SystemTime,
    /// How time goes on when the wall clock is set back.
    pub instant: Instant,
}

/// Nanoseconds since 1970-01-01 UTC, as this process counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub u64);

impl Time {
    /// Whole seconds that have passed.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 / SECOND).unwrap_or(u32::MAX)
    }
}

#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// What the monotonic clock lacks to the furthest wall clock seen, in nanoseconds. Written only when the wall clock is set forward,
    /// so that requests share the line.
    ahead: AtomicU64,
}

impl Clock {
    /// Begins at that moment, or at `not_before` if that is later.
    pub fn new(now: Moment, not_before: Time) -> Self {
        Self { start: now.instant, ahead: AtomicU64::new(wall(now).max(not_before.0)) }
    }

    /// What the monotonic clock says, in nanoseconds since the start.
    pub fn since(&self, now: Moment) -> u64 {
        nanoseconds(now.instant.saturating_duration_since(self.start))
    }

    pub fn read(&self, now: Moment) -> Time {
        let since = self.since(now);
        let ahead = wall(now).saturating_sub(since);
        let known = self.ahead.load(Ordering::Relaxed);
        let furthest = if ahead > known { self.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead) } else { known };
        Time(furthest.saturating_add(since))
    }
}

fn wall(now: Moment) -> u64 {
    nanoseconds(now.wall.duration_since(UNIX_EPOCH).unwrap_or_default().min(LATEST))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
