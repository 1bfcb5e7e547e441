//! A gateway: real counters, and as much of a lender as the bound depends on: one time limit, a breaker, reports on a new connection.

use std::{
    collections::{HashSet, VecDeque},
    time::{Duration, Instant, UNIX_EPOCH},
};

use tollgate_counters::{Ask, Counters, Grant, Heard, Key, Moment, Policy, Question, QuotaId, Verdict};

use crate::{
    common::{Dice, START},
    demand::{between, part},
    world::{MILLISECOND, NODES},
};

/// How long the breaker stays open after the first failure, and at most.
const BREAKER: (i64, i64) = (100 * MILLISECOND, 200 * MILLISECOND);

/// For so long nothing is asked on a new connection, except what was seen.
const QUIET: i64 = 300 * MILLISECOND;

pub struct Node {
    counters: Counters,
    names: Vec<(Key, QuotaId)>,
    /// Which life of the process.
    pub life: u32,
    base: Instant,
    /// How fast its clock goes, and by how much it is wrong.
    pace: f64,
    wrong: i64,
    /// It reaches nobody until then.
    pub cut: i64,
    /// It stands still until then.
    pub stopped: i64,
    pub connected: bool,
    away: i64,
    failures: u32,
    /// Questions under way.
    pub open: HashSet<u64>,
    /// Requests that wait, by quota, and until when.
    pub queues: Vec<VecDeque<i64>>,
    /// The window, since 1970, of which the store has last granted something, by quota.
    pub granted_in: Vec<u64>,
}

impl Node {
    pub fn new(dice: &mut Dice, base: Instant, policy: &Policy, quotas: usize) -> Self {
        let (pace, wrong) = (1.0 + (part(dice) - 0.5) * 0.001, between(dice, -100_000, 100_000));
        let counters = Counters::new(moment(base, pace, wrong, 0), 100_000);
        let names = (0..quotas).map(|quota| counters.shared_key(policy, &[&[quota as u8]])).collect();
        Self {
            counters,
            names,
            life: 0,
            base,
            pace,
            wrong,
            cut: 0,
            stopped: 0,
            connected: true,
            away: 0,
            failures: 0,
            open: HashSet::new(),
            queues: vec![VecDeque::new(); quotas],
            granted_in: vec![0; quotas],
        }
    }

    /// The process ends, and another one begins with nothing.
    pub fn crash(&mut self, now: i64, policy: &Policy) {
        self.counters = Counters::new(self.moment(now), 100_000);
        for (quota, name) in self.names.iter_mut().enumerate() {
            *name = self.counters.shared_key(policy, &[&[quota as u8]]);
        }
        (self.life, self.away, self.failures) = (self.life + 1, 0, 0);
        self.open.clear();
        self.queues.iter_mut().for_each(VecDeque::clear);
    }

    pub fn moment(&self, now: i64) -> Moment {
        moment(self.base, self.pace, self.wrong, now)
    }

    pub fn is_away(&self, now: i64) -> bool {
        now < self.away
    }

    pub fn decide(&self, now: i64, policy: &Policy, quota: usize) -> (Verdict, Option<Question>) {
        self.counters.set_fleet(NODES as u32, self.is_away(now));
        let mut asks = [Ask::shared(policy, self.names[quota])];
        let verdict = self.counters.decide(self.moment(now), &mut asks);
        (verdict, self.counters.question(&asks[0]))
    }

    pub fn granted(&mut self, now: i64, sent: Moment, quota: usize, question: &Question, grant: Grant) {
        let heard = self.counters.granted(self.moment(now), sent, question, grant);
        assert_ne!(heard, Heard::Unsound, "the store is honest: {grant:?} to {question:?}");
        if heard == Heard::Taken && grant.granted > 0 {
            self.granted_in[quota] = grant.window;
        }
        if self.open.remove(&question.number) {
            self.failures = 0;
        }
    }

    /// Whether nobody has answered it by now.
    pub fn late(&mut self, now: i64, question: &Question) -> bool {
        let late = self.open.remove(&question.number);
        if late {
            self.counters.unanswered(self.moment(now), question);
            let opens = BREAKER.0 << self.failures.min(5);
            (self.failures, self.away) = (self.failures + 1, self.away.max(now + opens.min(BREAKER.1)));
        }
        late
    }

    /// A new connection: what was seen, by quota, in an order that does not depend on keys.
    pub fn connect(&mut self, now: i64) -> Vec<(usize, Question)> {
        (self.connected, self.away) = (true, self.away.max(now + QUIET));
        let reports = self.counters.reports(self.moment(now));
        let quota = |report: &Question| self.names.iter().position(|(_, name)| *name == report.quota);
        let mut reports: Vec<_> = reports.into_iter().filter_map(|report| Some((quota(&report)?, report))).collect();
        reports.sort_by_key(|(quota, _)| *quota);
        reports
    }
}

fn moment(base: Instant, pace: f64, wrong: i64, now: i64) -> Moment {
    let since = (now as f64 * pace) as i64;
    let wall = START as i64 * 1_000_000 + since + wrong;
    Moment { wall: UNIX_EPOCH + Duration::from_micros(wall as u64), instant: base + Duration::from_micros(since as u64) }
}
