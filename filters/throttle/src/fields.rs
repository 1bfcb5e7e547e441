//! What clients read of their limits.

use smallvec::SmallVec;
use tollgate_filter_api::{Answer, HeaderName, HeaderValue, ResponseHead};

use crate::{
    config::Headers,
    limits::{Limit, policies::Named},
};

const POLICY: &str = "RateLimit-Policy";
const LIMIT: &str = "RateLimit";
const X_LIMIT: &str = "X-RateLimit-Limit";
const X_REMAINING: &str = "X-RateLimit-Remaining";
const X_RESET: &str = "X-RateLimit-Reset";

/// A field's value on its way. Longer ones go to the heap.
type Text = SmallVec<[u8; 128]>;

/// A policy that was asked, and what it said.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    pub named: &'a Named,
    pub remaining: u64,
    pub reset: u64,
    pub is_over: bool,
}

/// Which fields clients read.
#[derive(Debug)]
pub(crate) struct Fields {
    headers: Headers,
    /// `RateLimit-Policy`, when it is the same for every request.
    policies: Option<HeaderValue>,
}

/// The fields of one request.
#[derive(Debug, Default)]
pub(crate) struct Told {
    policies: Option<HeaderValue>,
    /// `RateLimit`, unless it is empty.
    left: Text,
    /// Limit, remaining and reset.
    older: Option<Box<[u64; 3]>>,
}

impl Fields {
    /// Those that the settings ask for.
    pub(crate) fn new(headers: Headers, limits: &[Limit]) -> Self {
        let always: Option<Vec<&Named>> = limits.iter().map(Limit::always).collect();
        let policies = always.filter(|_| headers.ratelimit).and_then(|all| policies(all.into_iter()));
        Self { headers, policies }
    }

    /// What the client of a request reads.
    pub(crate) fn of<'a>(&self, heard: impl Iterator<Item = Heard<'a>> + Clone) -> Told {
        if !self.headers.ratelimit && !self.headers.x_ratelimit {
            return Told::default();
        }
        let Some(least) = least(heard.clone()) else { return Told::default() };
        let older = self.headers.x_ratelimit.then(|| Box::new([least.named.quota, least.remaining, least.reset]));
        if !self.headers.ratelimit {
            return Told { older, ..Told::default() };
        }
        let policies = self.policies.clone().or_else(|| policies(heard.clone().map(|heard| heard.named)));
        Told { policies, left: left(heard, least), older }
    }
}

impl Told {
    /// Each field, by its name as it is written.
    fn all(&self) -> impl Iterator<Item = (&'static str, HeaderValue)> {
        let older = self.older.iter().flat_map(|numbers| [X_LIMIT, X_REMAINING, X_RESET].into_iter().zip(**numbers));
        let older = older.map(|(name, number)| (name, HeaderValue::from(number)));
        let policies = self.policies.clone().map(|value| (POLICY, value));
        policies.into_iter().chain(value(&self.left).map(|value| (LIMIT, value))).chain(older)
    }

    /// Puts them into the upstream's answer.
    pub(crate) fn on_response(&self, head: &mut ResponseHead) {
        self.all().for_each(|(name, value)| head.set_named(name, value));
    }

    /// Puts them into a refusal.
    pub(crate) fn on_answer(&self, answer: Answer) -> Answer {
        let all = self.all().filter_map(|(name, value)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value)));
        all.fold(answer, |answer, (name, value)| answer.header(name, value))
    }
}

/// `RateLimit-Policy`: every policy that is asked, if any is.
fn policies<'a>(all: impl Iterator<Item = &'a Named>) -> Option<HeaderValue> {
    let mut text = Text::new();
    for named in all {
        next(&mut text);
        text.extend_from_slice(named.item.as_bytes());
    }
    value(&text)
}

/// `RateLimit`: the policy of which least is left, and each that is used up.
fn left<'a>(all: impl Iterator<Item = Heard<'a>>, least: Heard<'_>) -> Text {
    let mut text = Text::new();
    for heard in all.filter(|heard| heard.is_over || std::ptr::eq(heard.named, least.named)) {
        next(&mut text);
        text.extend_from_slice(heard.named.quoted.as_bytes());
        text.extend_from_slice(b";r=");
        number(&mut text, heard.remaining);
        if heard.named.window > 0 {
            text.extend_from_slice(b";t=");
            number(&mut text, heard.reset);
        }
    }
    text
}

fn value(text: &Text) -> Option<HeaderValue> {
    if text.is_empty() { None } else { HeaderValue::from_bytes(text).ok() }
}

fn next(text: &mut Text) {
    if !text.is_empty() {
        text.extend_from_slice(b", ");
    }
}

fn number(text: &mut Text, number: u64) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// The one with the least share of its quota; of two, the one that has nothing for longer.
fn least<'a>(all: impl Iterator<Item = Heard<'a>>) -> Option<Heard<'a>> {
    all.reduce(|one, other| {
        let share = |heard: Heard<'_>, of: Heard<'_>| u128::from(heard.remaining) * u128::from(of.named.quota);
        let (mine, others) = (share(one, other), share(other, one));
        if others < mine || (others == mine && other.reset > one.reset) { other } else { one }
    })
}
