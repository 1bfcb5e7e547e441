//! A gateway that shares quotas, and a store that says what a test wants.

use std::time::Duration;

use tollgate_counters::{Ask, Away, Counters, Grant, Heard, Key, Policy, Question, QuotaId, Told, Verdict};

use super::{Hands, SECOND};

pub const MILLISECOND: u64 = SECOND / 1_000;

/// One gateway of four that reaches its store, and one quota in windows of 10 seconds.
pub struct Gateway {
    pub counters: Counters,
    pub hands: Hands,
    pub policy: Policy,
    limit: u64,
    pub name: (Key, QuotaId),
}

impl Gateway {
    pub fn new(limit: u64, away: Away) -> Self {
        let hands = Hands::new();
        let counters = Counters::new(hands.now(), 1_000);
        counters.set_fleet(4, false);
        let policy = Policy::shared("gold", limit, 10, away).unwrap();
        let name = counters.shared_key(&policy, &[b"application"]);
        Self { counters, hands, policy, limit, name }
    }

    pub fn decide(&self) -> (Verdict, Told, Option<Question>) {
        let mut asks = [Ask::shared(&self.policy, self.name)];
        let verdict = self.counters.decide(self.hands.now(), &mut asks);
        (verdict, asks[0].told, self.counters.question(&asks[0]))
    }

    /// A request that must lead to a question.
    pub fn question(&self) -> Question {
        self.decide().2.unwrap()
    }

    pub fn granted(&self, question: &Question, grant: Grant) -> Heard {
        self.counters.granted(self.hands.now(), self.hands.now(), question, grant)
    }

    /// What an honest store that nobody else asks would say now.
    pub fn grant(&self, granted: u64, rest: u64) -> Grant {
        let left = 10 * SECOND - self.hands.wall % (10 * SECOND);
        Grant { window: self.hands.wall / (10 * SECOND), granted, total: self.limit - rest, rest, left: Duration::from_nanos(left) }
    }

    /// Brings that many credits, which takes a second: as long as a question that nobody answers keeps others from being asked.
    pub fn lend(&mut self, credits: u64) {
        (0..credits).for_each(|_| assert!(self.decide().0.waits));
        self.hands.pass(SECOND);
        assert_eq!(self.granted(&self.question(), self.grant(credits, 50)), Heard::Taken);
    }

    pub fn passing(&self) -> u64 {
        (0..10_000).take_while(|_| self.decide().0.passes).count() as u64
    }
}
