//! Leases in the pass of a request: they are judged with the other limits, and give a credit only if all others accept.

use super::{Lease, Leases, Standing, Terms, WEIGHT};
use crate::{
    ask::{Ask, Told, Verdict},
    clock::{SECOND, Time},
    pass::Pass,
    shard::{PER_INSERT, Shard},
};

/// What a client is told to wait when nobody knows, in seconds.
const SOON: u64 = 1;

impl Pass<'_> {
    pub(crate) fn check_lease(&self, ask: &mut Ask<'_>, shard: &mut Shard, terms: &Terms) {
        let now = if self.counts { shard.time(self.now) } else { shard.time_seen(self.now) };
        if ask.bucket.is_none() && ask.client_chosen && !self.room(shard, now) {
            ask.told = Told { full: true, retry_after: SOON, ..Told::default() };
            return;
        }
        let standing = match (ask.quota, lease(ask, shard)) {
            // Without the quota's name nobody can be asked.
            (None, _) => Standing::Away,
            (Some(_), Some(lease)) => lease.standing(now, terms, self.counters.fleet()),
            (Some(quota), None) => Lease::new(ask.key, quota, terms, now).standing(now, terms, self.counters.fleet()),
        };
        ask.told = told(standing, now);
    }

    /// Takes the credit, or asks for more, as the verdict says.
    pub(crate) fn settle_lease(&self, ask: &mut Ask<'_>, shard: &mut Shard, terms: &Terms, verdict: &Verdict, first: bool) {
        let takes = verdict.passes && ask.told.accepted;
        if takes {
            ask.told.remaining -= 1;
            ask.told.counted = first;
        }
        let waits = ask.told.waits && (verdict.passes || verdict.waits);
        if !self.counts || !first {
            return;
        }
        if takes || waits {
            self.change_lease(ask, shard, terms, takes);
        } else if !ask.told.accepted
            && !ask.told.waits
            && let Some(lease) = shard.leases.as_mut().and_then(|leases| leases.get_mut(ask.bucket, ask.key))
        {
            lease.refused();
        }
    }

    fn change_lease(&self, ask: &mut Ask<'_>, shard: &mut Shard, terms: &Terms, takes: bool) {
        let now = shard.time_seen(self.now);
        let leases = shard.leases.get_or_insert_default();
        let Some(lease) = self.made(leases, ask, terms, now) else { return };
        let fleet = self.counters.fleet();
        if takes {
            lease.take(now, terms, fleet);
        } else {
            lease.waits();
        }
        if lease.asks(now, fleet) {
            let number = self.counters.next_question();
            // As this request has read the clock: what others have seen since would let the slice live longer.
            lease.ask(number.get(), self.now, self.counters.since(self.moment), terms);
            ask.told.question = Some(number);
        }
    }

    fn made<'l>(&self, leases: &'l mut Leases, ask: &Ask<'_>, terms: &Terms, now: Time) -> Option<&'l mut Lease> {
        if leases.get_mut(ask.bucket, ask.key).is_none() {
            self.counters.removed(leases.sweep(PER_INSERT, now));
            leases.insert(Lease::new(ask.key, ask.quota?, terms, now));
            self.counters.added(WEIGHT);
        }
        leases.get_mut(ask.bucket, ask.key)
    }
}

fn lease<'s>(ask: &Ask<'_>, shard: &'s Shard) -> Option<&'s Lease> {
    shard.leases.as_ref()?.get(ask.bucket?)
}

fn told(standing: Standing, now: Time) -> Told {
    let seconds = |end: Time| end.0.saturating_sub(now.0).div_ceil(SECOND);
    match standing {
        Standing::Left(remaining, end) => Told { accepted: true, remaining, reset: seconds(end), ..Told::default() },
        Standing::UsedUp(end) => Told { retry_after: seconds(end).max(1), reset: seconds(end), ..Told::default() },
        Standing::Away => Told { away: true, retry_after: SOON, ..Told::default() },
        Standing::Waits => Told { waits: true, ..Told::default() },
    }
}
