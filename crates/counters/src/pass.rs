//! One request's way past its limits: lock, look all up, check all, then count all.
//!
//! Everybody locks shards in ascending order, and each shard once, so nobody waits in a circle. Nothing is awaited and nobody else is
//! called while the locks are held.

use std::sync::MutexGuard;

use crate::{
    algorithm::Rule,
    ask::{Ask, Told, Verdict},
    clock::{Moment, SECOND, Time},
    counters::Counters,
    entry::Count,
    shard::Shard,
};

/// So many limits a request are handled without an allocation.
const FEW: usize = 8;

/// The locks that are held, one a shard.
type Guards<'c> = [Option<MutexGuard<'c, Shard>>];

/// Which ask, and which lock it needs.
#[derive(Clone, Copy, Default)]
struct Turn {
    ask: usize,
    guard: usize,
}

impl Counters {
    /// Asks all limits at once. If every one that stops requests accepts, each that accepts counts the request; if one refuses, none
    /// counts it. Two asks with one key count once. What each limit says stands in [`Ask::told`] afterwards.
    ///
    /// No ask at all passes.
    pub fn decide(&self, now: Moment, asks: &mut [Ask<'_>]) -> Verdict {
        self.pass(now, asks, true)
    }

    /// What [`decide`](Self::decide) would say now, with nothing counted. Not even a concurrency limit: nothing is to be given back.
    pub fn look(&self, now: Moment, asks: &mut [Ask<'_>]) -> Verdict {
        let verdict = self.pass(now, asks, false);
        asks.iter_mut().for_each(|ask| ask.told.counted = false);
        verdict
    }

    fn pass(&self, now: Moment, asks: &mut [Ask<'_>], counts: bool) -> Verdict {
        let (moment, now) = (now, self.time(now));
        let number = asks.len();
        if number <= FEW {
            let (mut order, mut guards) = ([Turn::default(); FEW], [const { None }; FEW]);
            Pass { counters: self, moment, now, counts }.run(asks, &mut order[..number], &mut guards[..number])
        } else {
            let (mut order, mut guards) = (vec![Turn::default(); number], Vec::new());
            guards.resize_with(number, || None);
            Pass { counters: self, moment, now, counts }.run(asks, &mut order, &mut guards)
        }
    }
}

pub(crate) struct Pass<'c> {
    pub counters: &'c Counters,
    pub moment: Moment,
    pub now: Time,
    pub counts: bool,
}

impl<'c> Pass<'c> {
    fn run(&self, asks: &mut [Ask<'_>], order: &mut [Turn], guards: &mut Guards<'c>) -> Verdict {
        order.iter_mut().enumerate().for_each(|(at, turn)| turn.ask = at);
        order.sort_unstable_by_key(|turn| asks[turn.ask].key);
        self.lock(asks, order, guards);
        // Nothing else in between, so that the processor waits for the memory of all at once.
        each(order, guards, |at, shard| find(&mut asks[at], shard));
        each(order, guards, |at, shard| self.check(&mut asks[at], shard));
        let verdict = verdict(asks);
        let mut last = None;
        each(order, guards, |at, shard| {
            let ask = &mut asks[at];
            if let Rule::Leased(terms) = &ask.policy.rule {
                self.settle_lease(ask, shard, terms, &verdict, last != Some(ask.key));
                last = Some(ask.key);
                return;
            }
            if verdict.passes && ask.told.accepted && ask.policy.rule.spends() {
                self.count(ask, shard, last != Some(ask.key));
                last = Some(ask.key);
            }
            report(ask, shard.time_seen(self.now));
        });
        verdict
    }

    /// All locks first: a thread that waits for the second one while it looks the first one up makes others wait for both.
    fn lock(&self, asks: &[Ask<'_>], order: &mut [Turn], guards: &mut Guards<'c>) {
        let mut last = None;
        for (at, turn) in order.iter_mut().enumerate() {
            let key = asks[turn.ask].key;
            match last {
                Some((shard, guard)) if shard == key.shard => turn.guard = guard,
                _ => {
                    guards[at] = Some(self.counters.lock(key));
                    turn.guard = at;
                    last = Some((key.shard, at));
                }
            }
        }
    }

    fn check(&self, ask: &mut Ask<'_>, shard: &mut Shard) {
        if let Rule::Leased(terms) = &ask.policy.rule {
            return self.check_lease(ask, shard, terms);
        }
        let now = if self.counts { shard.time(self.now) } else { shard.time_seen(self.now) };
        let rule = &ask.policy.rule;
        ask.count = rule.roll(ask.bucket.map(|_| ask.count), now);
        let full = ask.bucket.is_none() && ask.client_chosen && !self.room(shard, now);
        let remaining = rule.left(ask.count, now);
        let remaining = if full { 0 } else { remaining };
        ask.told = Told { accepted: remaining > 0, full, remaining, ..Told::default() };
        if !ask.told.accepted {
            ask.told.retry_after = if full { 1 } else { seconds(rule.until_more(ask.count, remaining, now)) };
        }
    }

    pub(crate) fn room(&self, shard: &mut Shard, now: Time) -> bool {
        if self.counts { self.counters.make_room(shard, now) } else { self.counters.room() }
    }

    /// One unit, unless an ask with the same key has taken it.
    fn count(&self, ask: &mut Ask<'_>, shard: &mut Shard, first: bool) {
        ask.count = ask.policy.rule.spend(ask.count, shard.time_seen(self.now));
        ask.told.remaining -= 1;
        ask.told.counted = first;
        if first && self.counts {
            self.counters.put(shard, ask.bucket, ask.key, ask.count);
        }
    }
}

/// Goes through the asks in order, each with its shard.
fn each(order: &[Turn], guards: &mut Guards<'_>, mut visit: impl FnMut(usize, &mut Shard)) {
    for turn in order {
        if let Some(shard) = &mut guards[turn.guard] {
            visit(turn.ask, shard);
        }
    }
}

fn find(ask: &mut Ask<'_>, shard: &mut Shard) {
    if let Rule::Leased(_) = ask.policy.rule {
        ask.bucket = shard.leases.as_ref().and_then(|leases| leases.find(ask.key));
        return;
    }
    let found = shard.find(ask.key);
    ask.bucket = found.map(|(bucket, _)| bucket);
    ask.count = found.map_or(Count::default(), |(_, count)| count);
}

fn verdict(asks: &[Ask<'_>]) -> Verdict {
    let refused = || asks.iter().filter(|ask| ask.stops && !ask.told.accepted && !ask.told.waits);
    let (ends, waits) = (refused().next().is_some(), asks.iter().any(|ask| ask.stops && ask.told.waits));
    Verdict {
        passes: !ends && !waits,
        waits: !ends && waits,
        away: refused().any(|ask| ask.told.away),
        full: refused().any(|ask| ask.told.full),
        retry_after: refused().map(|ask| ask.told.retry_after).max().unwrap_or(0),
    }
}

fn report(ask: &mut Ask<'_>, now: Time) {
    let rule = &ask.policy.rule;
    ask.told.reset = match rule {
        Rule::Concurrent { .. } => 0,
        _ => seconds(rule.until_more(ask.count, ask.told.remaining, now)),
    };
}

fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(SECOND)
}
