//! Windows that begin at multiples of their length. `until` is the window's end.

use crate::{
    clock::{SECOND, Time},
    entry::Count,
};

/// The end of the window in which a time lies, in seconds.
pub(super) fn end(window: u32, now: Time) -> u32 {
    (now.seconds() / window + 1).saturating_mul(window)
}

pub(super) fn roll(window: u32, found: Option<Count>, now: Time) -> Count {
    found.filter(|count| !count.over(now)).unwrap_or_else(|| Count::of(end(window, now), 0))
}

/// Nanoseconds that the window still has.
pub(super) fn rest(count: Count, now: Time) -> u64 {
    (u64::from(count.until) * SECOND).saturating_sub(now.0)
}
