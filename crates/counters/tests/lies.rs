//! A store that says anything, at any time: what passes never exceeds what was asked for, and never outlives what was said.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Dice, Hands, SECOND, START};
use tollgate_counters::{Ask, Away, Counters, Grant, Heard, Key, Moment, Policy, Question, QuotaId};

const WINDOW: u64 = 10;
const LIMIT: u64 = 50;

struct World {
    dice: Dice,
    hands: Hands,
    counters: Counters,
    policy: Policy,
    name: (Key, QuotaId),
    /// Every question that was ever sent: an answer may come to any of them.
    sent: Vec<(Question, Moment, u64)>,
    /// What may still pass at most, and until when.
    credits: u64,
    until: u64,
    passed: u64,
    lies: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let hands = Hands::new();
        let counters = Counters::new(hands.now(), 1_000);
        counters.set_fleet(3, false);
        let policy = Policy::shared("gold", LIMIT, WINDOW, Away::Strict).unwrap();
        let name = counters.shared_key(&policy, &[]);
        let (dice, sent) = (Dice(seed), Vec::new());
        Self { dice, hands, counters, policy, name, sent, credits: 0, until: 0, passed: 0, lies: 0 }
    }

    fn request(&mut self) {
        let mut asks = [Ask::shared(&self.policy, self.name)];
        if self.counters.decide(self.hands.now(), &mut asks).passes {
            assert!(self.credits > 0, "more passed than was wanted and granted");
            assert!(self.hands.since < self.until, "it passed after the window");
            self.credits -= 1;
            self.passed += 1;
        }
        if let Some(question) = self.counters.question(&asks[0]) {
            assert!((1..=LIMIT).contains(&question.wanted) && question.seen <= LIMIT, "{question:?}");
            self.sent.push((question, self.hands.now(), self.hands.since));
        }
    }

    fn answer(&mut self) {
        let Some(last) = self.sent.len().checked_sub(1) else { return };
        let back = if self.dice.below(4) == 0 { self.dice.below(last as u64 + 1) as usize } else { 0 };
        let (question, sent, since) = self.sent[last - back];
        let grant = if self.dice.below(2) == 0 { self.honest(&question) } else { self.any(&question) };
        let heard = self.counters.granted(self.hands.now(), sent, &question, grant);
        if heard == Heard::Taken {
            assert!(grant.granted <= question.wanted && grant.left <= Duration::from_secs(WINDOW), "{grant:?}");
            self.credits += grant.granted;
            self.until = since + grant.left.as_nanos() as u64;
        }
        self.lies += u64::from(heard == Heard::Unsound);
    }

    fn honest(&mut self, question: &Question) -> Grant {
        let left = WINDOW * SECOND - self.hands.wall % (WINDOW * SECOND);
        let granted = self.dice.within(0, question.wanted);
        let total = self.dice.within(granted, LIMIT);
        Grant { window: self.window(), granted, total, rest: LIMIT - total, left: Duration::from_nanos(left) }
    }

    fn any(&mut self, question: &Question) -> Grant {
        let window = [self.window(), self.window() + 1, self.window() - 1, 0, u64::MAX, self.dice.throw()][self.dice.below(6) as usize];
        let mut number = || [0, 1, question.wanted, question.wanted + 1, LIMIT, LIMIT + 1, u64::MAX][self.dice.below(7) as usize];
        let (granted, total, rest) = (number(), number(), number());
        let left = [Duration::ZERO, Duration::from_millis(3), Duration::from_secs(WINDOW), Duration::from_secs(WINDOW + 1), Duration::MAX];
        Grant { window, granted, total, rest, left: left[self.dice.below(5) as usize] }
    }

    fn window(&self) -> u64 {
        self.hands.wall / SECOND / WINDOW
    }

    fn step(&mut self) {
        match self.dice.below(12) {
            0..=5 => self.request(),
            6..=8 => self.answer(),
            9 => self.hands.pass(self.dice.below(SECOND / 5)),
            10 => self.hands.pass(self.dice.below(2 * SECOND)),
            _ => {
                if let Some((question, ..)) = self.sent.last() {
                    self.counters.unanswered(self.hands.now(), question);
                }
                self.counters.tick(self.hands.now());
            }
        }
    }
}

#[test]
fn nothing_passes_that_was_not_asked_for_and_nothing_after_its_window() {
    let (mut passed, mut lies) = (0, 0);
    for seed in 0..60 {
        let mut world = World::new(seed);
        assert_eq!(world.window(), START / WINDOW);
        (0..2_000).for_each(|_| world.step());
        (passed, lies) = (passed + world.passed, lies + world.lies);
    }
    assert!(passed > 1_000 && lies > 1_000, "{passed} passed, {lies} lies");
}
