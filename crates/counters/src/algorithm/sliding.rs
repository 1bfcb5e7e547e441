//! Two buckets: `a` of the current window, `b` of the one before. `until` is the end of the *next* window: until then `a` still counts.
//!
//! The estimate is `a + b × (rest of the window / window)`. It is compared in whole numbers, so nothing is rounded.

use super::fixed;
use crate::{
    clock::{SECOND, Time},
    entry::Count,
};

pub(super) fn roll(window: u32, found: Option<Count>, now: Time) -> Count {
    let Some(count) = found.filter(|count| !count.over(now)) else {
        return Count { until: fixed::end(window, now).saturating_add(window), a: 0, b: 0 };
    };
    if now.0 < end(window, count) { count } else { Count { until: count.until.saturating_add(window), a: 0, b: count.a } }
}

/// ⌊limit − estimate⌋.
pub(super) fn left(limit: u32, window: u32, count: Count, now: Time) -> u64 {
    let Some(room) = limit.checked_sub(count.a) else { return 0 };
    if count.b == 0 {
        return u64::from(room);
    }
    let rest = end(window, count).saturating_sub(now.0).min(length(window));
    let before = (u128::from(count.b) * u128::from(rest)).div_ceil(u128::from(length(window)));
    u64::from(room).saturating_sub(u64::try_from(before).unwrap_or(u64::MAX))
}

/// The estimate only falls when nobody asks: the bucket before fades until the edge, then the current one does.
pub(super) fn until_more(limit: u32, window: u32, count: Count, left: u64, now: Time) -> u64 {
    let wanted = u64::from(limit).saturating_sub(left + 1);
    let edge = end(window, count);
    let moment = match wanted.checked_sub(u64::from(count.a)) {
        Some(share) => edge - time_left(share, count.b, window),
        None => edge + length(window) - time_left(wanted, count.a, window),
    };
    moment.saturating_sub(now.0)
}

/// How much of the window may be left for `bucket` to count no more than `share`.
fn time_left(share: u64, bucket: u32, window: u32) -> u64 {
    let whole = length(window);
    let Some(time) = (u128::from(share) * u128::from(whole)).checked_div(u128::from(bucket)) else { return whole };
    u64::try_from(time).unwrap_or(whole).min(whole)
}

/// Nanoseconds since 1970.
fn end(window: u32, count: Count) -> u64 {
    u64::from(count.until.saturating_sub(window)) * SECOND
}

fn length(window: u32) -> u64 {
    u64::from(window) * SECOND
}
