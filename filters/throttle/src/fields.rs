//! What clients read of their limits.

use tollgate_filter_api::{HeaderName, HeaderValue};

use crate::policies::Named;

pub(crate) static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(crate) static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Room for the text of a few policies.
const ROOM: usize = 192;

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
    let mut text = String::with_capacity(ROOM);
    for heard in all {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&heard.named.item);
    }
    if text.is_empty() { None } else { value(&text) }
}

/// `RateLimit`: the policy of which least is left, and each that is used up.
pub(crate) fn left<'a>(all: impl Iterator<Item = Heard<'a>> + Clone) -> Option<HeaderValue> {
    let least = least(all.clone())?;
    let mut text = String::with_capacity(ROOM);
    for heard in all.filter(|heard| heard.is_over || std::ptr::eq(heard.named, least.named)) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&heard.named.quoted);
        text.push_str(";r=");
        number(&mut text, heard.remaining);
        if heard.named.window > 0 {
            text.push_str(";t=");
            number(&mut text, heard.reset);
        }
    }
    value(&text)
}

/// Copies the text: a `String` that becomes a value is cut to its length first, which is dearer.
fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// Writes a number without the machinery of formats.
fn number(text: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits[at..].iter().for_each(|digit| text.push(char::from(*digit)));
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
