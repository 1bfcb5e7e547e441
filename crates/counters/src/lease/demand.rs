//! How much a lease is asked for, by which its slices are sized.

use super::Terms;
use crate::clock::{SECOND, Time};

/// Over so many seconds the rate is averaged.
const MEMORY: f64 = 0.3;

/// A slice lasts for a tenth of the window, and for so many seconds at least and at most: an idle gateway shall not sit on a day's quota.
const LASTS: (f64, f64) = (1.0, 5.0);

/// What was asked of a lease since its last question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    pub since: Time,
    /// Requests that passed or were refused.
    pub decided: u32,
    /// Requests that wait for the next answer.
    pub waiting: u32,
    /// Requests for which the last answer had nothing. They ask again one by one, and the first of them shall ask for all.
    backlog: u32,
    /// Requests a second, before that.
    rate: f32,
}

impl Demand {
    pub fn new(now: Time) -> Self {
        Self { since: now, decided: 0, waiting: 0, backlog: 0, rate: 0.0 }
    }

    pub fn note(&mut self) {
        self.decided = self.decided.saturating_add(1);
    }

    /// An answer has come, and lets that many of those who wait pass.
    pub fn answered(&mut self, granted: u64) {
        let granted = u32::try_from(granted).unwrap_or(u32::MAX);
        (self.backlog, self.waiting) = (self.waiting.saturating_sub(granted), 0);
    }

    /// How much to ask for, now that a question is sent.
    pub fn want(&mut self, now: Time, terms: &Terms) -> u64 {
        let passed = now.0.saturating_sub(self.since.0) as f64 / SECOND as f64;
        let rate = (f64::from(self.rate) * MEMORY + f64::from(self.decided)) / (MEMORY + passed);
        (self.since, self.decided, self.rate) = (now, 0, rate as f32);
        let lasts = (f64::from(terms.seconds) / 10.0).clamp(LASTS.0, LASTS.1);
        // A float that is too large becomes the largest integer.
        let steady = (rate * lasts).ceil() as u64;
        steady.max(u64::from(self.waiting.max(self.backlog))).clamp(1, terms.limit)
    }
}
