//! What the store says, and what a lease makes of it. Nothing of it is believed that could let more pass than was asked for, or longer
//! than the window lasts.

use super::{
    Grant, Heard, Lease, Question, Terms,
    state::{Pending, Window},
    terms::drift,
};
use crate::{
    clock::{SECOND, Time},
    policy::DAY,
};

/// For so long a lease asks nothing after the store has granted nothing although something is left: it learns what it had forgotten.
const RESTS: u64 = SECOND / 20;

/// For so long the store counts as away for a lease whose question it did not answer.
const AWAY: u64 = SECOND / 10;

/// The store tells whole milliseconds: up to one less may be left of the window than it says.
const ROUNDING: u64 = SECOND / 1_000;

impl Lease {
    /// Takes an answer over. `sent` is what the monotonic clock said when its question was sent.
    pub fn granted(&mut self, now: Time, sent: u64, question: &Question, grant: Grant) -> Heard {
        let Some(pending) = self.pending.filter(|pending| pending.number == question.number) else {
            return Heard::Late;
        };
        if !sound(&grant, pending.wanted, &self.terms, now) {
            self.give_up(now);
            return Heard::Unsound;
        }
        (self.pending, self.away) = (None, Time(0));
        self.demand.answered(grant.granted);
        // Only a store whose clock was set back says so, and its earlier window may have been granted by heart.
        if grant.window < self.window.number && now < self.window.end {
            self.rest(now);
            return Heard::Late;
        }
        self.hear(&grant);
        let left = nanoseconds(&grant);
        self.window.till = Time(pending.moment(sent).0.saturating_add(left.saturating_sub(drift(left) + ROUNDING)));
        self.window.end = Time(now.0.saturating_add(left));
        if now < self.window.till {
            self.credits = self.credits.saturating_add(grant.granted);
            self.window.granted = self.window.granted.saturating_add(grant.granted);
            self.slice = grant.granted;
        }
        if grant.granted == 0 && grant.rest > 0 {
            self.rest(now);
        }
        Heard::Taken
    }

    /// The question will not be answered, or not in time.
    pub fn unanswered(&mut self, now: Time, question: &Question) {
        if self.pending.is_some_and(|pending| pending.number == question.number) {
            self.give_up(now);
        }
    }

    fn give_up(&mut self, now: Time) {
        self.pending = None;
        self.demand.answered(u64::MAX);
        self.away = Time(now.0.saturating_add(AWAY));
    }

    fn rest(&mut self, now: Time) {
        self.rests = Time(now.0.saturating_add(RESTS));
    }

    /// A new window begins with nothing: credits of another one are worth nothing in it.
    fn hear(&mut self, grant: &Grant) {
        if grant.window != self.window.number {
            self.window = Window { number: grant.window, ..Window::default() };
            self.credits = 0;
        }
        // Gateways with a larger limit may have been granted more than this one allows.
        self.window.total = self.window.total.max(grant.total).min(self.terms.limit);
        self.window.rest = grant.rest;
    }
}

impl Pending {
    /// When it was sent, on the clock of windows as it stood when the question was made. If that clock has been set forward since, or the
    /// machine slept, the time that was skipped is taken for time that has passed: the slice ends too early, never too late.
    fn moment(&self, sent: u64) -> Time {
        Time(self.made.0.saturating_add(sent).saturating_sub(self.since))
    }
}

/// Whether an honest store could have said so.
fn sound(grant: &Grant, wanted: u64, terms: &Terms, now: Time) -> bool {
    let amounts = grant.granted <= wanted && grant.granted <= grant.total && grant.rest <= terms.limit;
    // The store's clock counts, not ours, but both show the same day.
    let apart = (now.0 / terms.length()).abs_diff(grant.window);
    let day = DAY.div_ceil(u64::from(terms.seconds)) + 1;
    amounts && grant.left <= terms.window() && apart <= day
}

fn nanoseconds(grant: &Grant) -> u64 {
    u64::try_from(grant.left.as_nanos()).unwrap_or(u64::MAX)
}
