//! One lease: what a request may take of it, and when it asks for more.

use super::{Known, Question, QuotaId, Terms, demand::Demand, share::Share};
use crate::{
    clock::{SECOND, Time},
    key::Key,
};

/// A slice below this is used up before the next could be fetched ahead; to hold two of them would keep from others what is scarce.
const AHEAD: u64 = 4;

/// With more gateways than that, slices of such a limit are too small to be fetched before they are used up, and requests wait for the store: it
/// grants 1/2N of what is left.
pub fn most_gateways_ahead(limit: u64) -> u64 {
    limit / (2 * AHEAD)
}

/// A question that neither was answered nor given up for so long is lost.
const LOST: u64 = SECOND;

/// For so long a lease that nobody uses keeps what it knows of the demand.
const LINGERS: u64 = 5 * SECOND;

/// What this process holds of one shared quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub key: [u32; 3],
    pub quota: QuotaId,
    /// Of the policy that asked last.
    pub terms: Terms,
    /// What the slices have left.
    pub(super) credits: u64,
    /// How large the last one was.
    pub(super) slice: u64,
    pub(super) window: Window,
    pub(super) pending: Option<Pending>,
    /// No question before that.
    pub(super) rests: Time,
    /// Until then the store counts as away, because it did not answer.
    pub(super) away: Time,
    pub(super) demand: Demand,
    pub(super) share: Share,
}

/// The window that the store last spoke of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub number: u64,
    /// The highest total that was heard.
    pub total: u64,
    pub rest: u64,
    /// What this process was granted in it.
    pub granted: u64,
    /// Until then it surely runs: credits are good.
    pub till: Time,
    /// When it ends, as far as one can tell.
    pub end: Time,
}

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub number: u64,
    pub wanted: u64,
    /// When it was made, and what the monotonic clock said then.
    pub made: Time,
    pub since: u64,
}

/// What a request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// So much is left, this request included. It ends then.
    Left(u64, Time),
    /// The quota is used up until then.
    UsedUp(Time),
    /// Nothing is left here, and the store cannot be asked.
    Away,
    /// Nothing is left here, and the store's answer may bring more.
    Waits,
}

impl Lease {
    pub fn new(key: Key, quota: QuotaId, terms: &Terms, now: Time) -> Self {
        Self {
            key: key.bits,
            quota,
            terms: *terms,
            credits: 0,
            slice: 0,
            window: Window::default(),
            pending: None,
            rests: Time(0),
            away: Time(0),
            demand: Demand::new(now),
            share: Share::default(),
        }
    }

    pub fn hash(&self) -> u64 {
        Key::hash(&self.key)
    }

    pub fn standing(&self, now: Time, terms: &Terms, fleet: Known) -> Standing {
        if self.credit(now) {
            return Standing::Left(self.credits.saturating_add(fleet.part(self.window.rest)), self.window.end);
        }
        if self.used_up(now, terms) {
            return Standing::UsedUp(self.window.end);
        }
        if self.is_away(now, fleet) {
            let share = self.share(now, terms, fleet);
            return if share.left > 0 { Standing::Left(share.left, Time(share.end.saturating_mul(SECOND))) } else { Standing::Away };
        }
        if now < self.rests { Standing::Away } else { Standing::Waits }
    }

    /// Takes what [`Standing::Left`] has promised.
    pub fn take(&mut self, now: Time, terms: &Terms, fleet: Known) {
        self.demand.note();
        if self.credit(now) {
            self.credits -= 1;
            return;
        }
        let share = self.share(now, terms, fleet);
        self.share = Share { left: share.left.saturating_sub(1), ..share };
    }

    /// A request was refused.
    pub fn refused(&mut self) {
        self.demand.note();
    }

    /// A request waits for more.
    pub fn waits(&mut self) {
        self.demand.waiting = self.demand.waiting.saturating_add(1);
    }

    /// Whether it is time to ask: nobody has, and what is left is at most half of a slice that is worth it.
    pub fn asks(&self, now: Time, fleet: Known) -> bool {
        let waits = self.demand.waiting > 0;
        let ahead = self.slice >= AHEAD && self.credits <= self.slice / 2 && self.window.rest > 0;
        (waits || ahead) && !self.is_pending(now) && now >= self.rests && !self.is_away(now, fleet)
    }

    /// Makes a question of that number; `since` is what the monotonic clock says.
    pub fn ask(&mut self, number: u64, now: Time, since: u64, terms: &Terms) {
        self.terms = *terms;
        let wanted = self.demand.want(now, terms);
        self.pending = Some(Pending { number, wanted, made: now, since });
    }

    /// The question of that number, if it still waits for an answer.
    pub fn question(&self, shard: u32, number: u64) -> Option<Question> {
        let pending = self.pending.filter(|pending| pending.number == number)?;
        Some(Question { number, wanted: pending.wanted, ..self.report(shard) })
    }

    /// What it has seen, for a store that may have forgotten it.
    pub fn report(&self, shard: u32) -> Question {
        Question {
            number: 0,
            key: Key { shard, bits: self.key },
            quota: self.quota,
            limit: self.terms.limit,
            window: self.terms.window(),
            wanted: 0,
            seen: self.window.total,
            seen_in: self.window.number,
        }
    }

    /// Whether what it has seen is of a window that may still run.
    pub fn has_seen(&self, now: Time) -> bool {
        self.window.total > 0 && now < self.ends()
    }

    /// Whether nothing is lost when it is removed.
    pub fn over(&self, now: Time) -> bool {
        let asked = self.demand.since.0.saturating_add(LINGERS);
        let last = [asked, self.ends().0, self.share.end.saturating_mul(SECOND), self.away.0, self.rests.0];
        last.into_iter().all(|moment| moment <= now.0)
    }

    fn credit(&self, now: Time) -> bool {
        self.credits > 0 && now < self.window.till
    }

    /// Not if the limit was raised since the store was asked.
    fn used_up(&self, now: Time, terms: &Terms) -> bool {
        self.window.rest == 0 && now < self.window.till && terms.limit <= self.terms.limit
    }

    fn is_away(&self, now: Time, fleet: Known) -> bool {
        fleet.away || now < self.away
    }

    fn is_pending(&self, now: Time) -> bool {
        self.pending.is_some_and(|pending| now.0 < pending.made.0.saturating_add(LOST))
    }

    /// When the window is over by any clock.
    fn ends(&self) -> Time {
        Time(self.window.end.0.saturating_add(self.terms.drift()))
    }
}
