//! What a request asks of one limit, and what it is told.

use std::num::NonZeroU64;

use crate::{entry::Count, key::Key, lease::QuotaId, policy::Policy};

/// One limit that a request meets.
#[derive(Clone, Debug)]
pub struct Ask<'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) key: Key,
    /// Of a shared policy.
    pub(crate) quota: Option<QuotaId>,
    pub(crate) stops: bool,
    pub(crate) client_chosen: bool,
    /// Where the counter was found, if it was, while a pass lasts.
    pub(crate) bucket: Option<usize>,
    /// The counter as it is.
    pub(crate) count: Count,
    /// What the last pass said.
    pub told: Told,
}

/// What one limit said to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Whether the limit has room for the request.
    pub accepted: bool,
    /// It was not accepted because there are too many keys, not because its limit was reached.
    pub full: bool,
    /// It was not accepted because nothing of the shared quota is here, and the store cannot be asked.
    pub away: bool,
    /// It was not accepted because nothing of the shared quota is here yet: the store is being asked.
    pub waits: bool,
    /// The store is to be asked for more, also if the request passes: send what [`Counters::question`](crate::Counters::question) says.
    pub question: Option<NonZeroU64>,
    /// Whether this ask has taken a unit. Of a concurrency limit it must be given back: [`Counters::release`](crate::Counters::release).
    pub counted: bool,
    /// What is left after this request, in the limit's unit.
    pub remaining: u64,
    /// Whole seconds, rounded up, in which no more than `remaining` comes free: the `t` of `RateLimit`. 0 when nothing is used up.
    pub reset: u64,
    /// Whole seconds, rounded up, after which this limit accepts a request if nobody else asks; 0 if it accepts. For a concurrency limit
    /// and when there are too many keys nobody knows: it is 1.
    pub retry_after: u64,
}

/// What becomes of a request. What each limit said stands in [`Ask::told`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether every limit that stops requests accepted it.
    pub passes: bool,
    /// Whether one refused it only because there are too many keys.
    pub full: bool,
    /// Whether one refused it only because the store of its shared quota is away.
    pub away: bool,
    /// It neither passes nor is refused: it waits for the store. Decide again when the questions of the asks that wait are answered.
    /// Nothing is counted until then.
    pub waits: bool,
    /// The largest `retry_after` of the limits that refused, in seconds; 0 if it passes.
    pub retry_after: u64,
}

impl<'p> Ask<'p> {
    /// A limit that stops requests. The key must have been made for the same policy.
    pub fn new(policy: &'p Policy, key: Key) -> Self {
        Self { policy, key, quota: None, stops: true, client_chosen: false, bucket: None, count: Count::default(), told: Told::default() }
    }

    /// A limit of a shared policy, with what [`Counters::shared_key`](crate::Counters::shared_key) has made of the same policy.
    pub fn shared(policy: &'p Policy, (key, quota): (Key, QuotaId)) -> Self {
        Self { quota: Some(quota), ..Self::new(policy, key) }
    }

    /// It never refuses, and tells what it would have done (shadow mode, `stopOnQuota: false`). It counts like one that refuses:
    /// what exceeds the limit takes nothing from it.
    /// Nor does a request wait for its shared quota: while it is unknown what the store says, `told.waits` is set.
    pub fn never_stops(self) -> Self {
        Self { stops: false, ..self }
    }

    /// The client can choose other keys as it likes, by address or header. New ones are refused when there are too many.
    pub fn chosen_by_client(self) -> Self {
        Self { client_chosen: true, ..self }
    }

    /// Whose counter it is.
    pub fn key(&self) -> Key {
        self.key
    }
}
