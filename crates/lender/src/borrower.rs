//! Who asks, and who wants to know how it goes.

use std::time::{Duration, Instant, SystemTime};

use tollgate_counters::{Counters, Grant, Heard, Moment, Question};

/// Holds what was granted.
pub trait Borrower: Send + Sync {
    /// A question was answered. `sent` is a moment before the store read it: what is left of the window counts from there.
    fn granted(&self, sent: Moment, question: &Question, grant: Grant) -> Heard;

    /// A question will not be answered.
    fn unanswered(&self, question: &Question);

    /// What the store has told so far, each as a question that wants nothing: a store that forgot learns it again.
    fn reports(&self) -> Vec<Question>;

    /// So many gateways share the store, this one included (0 if nobody knows); and whether it is away, so that asking is in vain.
    fn set_fleet(&self, gateways: u32, away: bool);
}

impl Borrower for Counters {
    fn granted(&self, sent: Moment, question: &Question, grant: Grant) -> Heard {
        Self::granted(self, now(), sent, question, grant)
    }

    fn unanswered(&self, question: &Question) {
        Self::unanswered(self, now(), question);
    }

    fn reports(&self) -> Vec<Question> {
        Self::reports(self, now())
    }

    fn set_fleet(&self, gateways: u32, away: bool) {
        Self::set_fleet(self, gateways, away);
    }
}

/// This moment. The wall clock is read first, as [`Moment`] wants it.
pub(crate) fn now() -> Moment {
    let wall = SystemTime::now();
    Moment { wall, instant: Instant::now() }
}

/// Sees how it goes.
pub trait Observer: Send + Sync {
    /// Whether there is a connection to every master.
    fn connected(&self, connected: bool);
    /// A call has ended, answered or not.
    fn called(&self, took: Duration, answered: bool);
    /// The store said what it should not have been able to say.
    fn unsound(&self);
    /// So many gateways share the store.
    fn gateways(&self, gateways: u32);
    /// A question found no place in the queue.
    fn lost(&self);
    /// A master is of no use now, for this reason.
    fn away(&self, cause: &str);
    /// The store is of use, but set up so that it may forget.
    fn warn(&self, advice: &str);
}
