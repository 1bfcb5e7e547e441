//! What clients read of their limits.

use std::fmt::Write;

use tollgate_filter_api::{HeaderName, HeaderValue};

use crate::policies::Named;

pub(crate) static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(crate) static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A policy that was asked, and what it said.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub named: &'a Named,
    pub remaining: u64,
    pub reset: u64,
    pub is_over: bool,
}

/// `RateLimit-Policy`: every policy that was asked, if any was.
pub(crate) fn policies<'a>(all: impl Iterator<Item = Heard<'a>>) -> Option<HeaderValue> {
    let mut text = String::new();
    for heard in all {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&heard.named.item);
    }
    if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
}

/// `RateLimit`: the policy of which least is left, and each that is used up.
pub(crate) fn left<'a>(all: impl Iterator<Item = Heard<'a>> + Clone) -> Option<HeaderValue> {
    let least = least(all.clone())?;
    let mut text = String::new();
    for heard in all.filter(|heard| heard.is_over || std::ptr::eq(heard.named, least.named)) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let name = heard.named.item.split(";q=").next().unwrap_or_default();
        let _ = write!(text, "{name};r={}", heard.remaining);
        if heard.named.window > 0 {
            let _ = write!(text, ";t={}", heard.reset);
        }
    }
    HeaderValue::try_from(text).ok()
}

/// The older three fields, of the policy of which least is left.
pub(crate) fn older<'a>(all: impl Iterator<Item = Heard<'a>>) -> Option<[(HeaderName, HeaderValue); 3]> {
    let least = least(all)?;
    let number = |number: u64| HeaderValue::from(number);
    Some([
        (X_LIMIT.clone(), number(least.named.quota)),
        (X_REMAINING.clone(), number(least.remaining)),
        (X_RESET.clone(), number(least.reset)),
    ])
}

/// The one with the least share of its quota; of two, the one that has nothing for longer.
fn least<'a>(all: impl Iterator<Item = Heard<'a>>) -> Option<Heard<'a>> {
    all.reduce(|one, other| {
        let share = |heard: Heard<'_>, of: Heard<'_>| u128::from(heard.remaining) * u128::from(of.named.quota);
        let (mine, others) = (share(one, other), share(other, one));
        if others < mine || (others == mine && other.reset > one.reset) { other } else { one }
    })
}
