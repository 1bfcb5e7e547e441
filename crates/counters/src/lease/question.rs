//! What a gateway asks the shared store, and what it is told.

use std::time::Duration;

use crate::key::Key;

/// A quota's name in the store, the same in every gateway. Made of the policy and of what tells callers apart.
///
/// It is a hash without a secret, for all gateways must come to the same. So a client that chooses its own key can search two keys that
/// share a quota, at 2^64 tries, and then has half of what it could have had. To share the quota of a given other client it would have to
/// try 2^128 keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaId(pub [u8; 16]);

/// A question for a slice of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which of this process's questions it is: an answer counts once, and only for the question that still waits for one. 0 for a report,
    /// which waits for none.
    pub number: u64,
    /// The counter that asks.
    pub key: Key,
    /// The quota.
    pub quota: QuotaId,
    /// So much may be granted in a window.
    pub limit: u64,
    /// The window's length. Windows begin at its multiples since 1970, by the store's clock.
    pub window: Duration,
    /// How much is wanted at most; 0 only reports what was seen.
    pub wanted: u64,
    /// The highest total that the store has ever told for the quota, so that a store that forgot learns it again.
    pub seen: u64,
    /// The number of the window of which that was told.
    pub seen_in: u64,
}

/// What the store says to a question. Nothing of it is trusted: a slice is never larger than was wanted, and never outlives the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The number of the window, counted from 1970.
    pub window: u64,
    /// The slice.
    pub granted: u64,
    /// What all gateways were granted in the window.
    pub total: u64,
    /// What is left of the quota.
    pub rest: u64,
    /// What is left of the window by the store's clock, rounded up to a millisecond at most.
    pub left: Duration,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was taken over.
    Taken,
    /// Its question waits for no answer any more, or its window is over. Nothing was taken over.
    Late,
    /// No honest store says that. Nothing was taken over, and the question counts as unanswered.
    Unsound,
}
