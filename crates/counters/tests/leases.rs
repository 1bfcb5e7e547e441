//! Slices of shared quotas in the pass of a request: who waits, who passes, and who is refused.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Dice, Hands, SECOND, START, fixed, gateway::Gateway};
use tollgate_counters::{Ask, Away, Counters, Grant, Heard, Policy, Question, Told, Verdict};

#[test]
fn a_request_waits_for_the_first_slice_and_passes_with_it() {
    let gateway = Gateway::new(100, Away::Strict);
    let (verdict, told, question) = gateway.decide();
    assert!(verdict.waits && !verdict.passes && told.waits && !told.accepted && !told.counted);
    let question = question.unwrap();
    assert_eq!((question.limit, question.window, question.wanted, question.seen), (100, Duration::from_secs(10), 1, 0));
    let (verdict, _, second) = gateway.decide();
    assert!(verdict.waits && second.is_none(), "one question at a time");
    assert_eq!(gateway.granted(&question, gateway.grant(1, 80)), Heard::Taken);
    let (verdict, told, _) = gateway.decide();
    assert!(verdict.passes && told.counted);
    assert_eq!((told.remaining, told.reset), (20, 10), "its part of what is left");
    let next = gateway.question();
    assert_eq!((next.seen, next.seen_in), (20, START / 10), "what was seen goes with each question");
}

#[test]
fn a_quota_that_is_used_up_refuses_until_the_window_ends_and_asks_nobody() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.hands.pass(4 * SECOND);
    let question = gateway.question();
    gateway.granted(&question, gateway.grant(0, 0));
    let (verdict, told, question) = gateway.decide();
    assert!(!verdict.passes && !verdict.waits && !verdict.away && question.is_none());
    assert_eq!((verdict.retry_after, told.remaining, told.reset), (6, 0, 6));
    gateway.counters.set_fleet(4, true);
    assert_eq!(gateway.passing(), 0, "nor is there a share of nothing");
    gateway.counters.set_fleet(4, false);
    gateway.hands.pass(6 * SECOND);
    assert!(gateway.decide().0.waits);
}

#[test]
fn a_refusal_by_another_limit_takes_no_credit_and_asks_nothing() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(2);
    let local = fixed("local", 1, 3_600);
    let key = gateway.counters.key(&local, &[b"application"]);
    let both = || {
        let mut asks = [Ask::shared(&gateway.policy, gateway.name), Ask::new(&local, key)];
        let verdict = gateway.counters.decide(gateway.hands.now(), &mut asks);
        (verdict, gateway.counters.question(&asks[0]))
    };
    assert!(both().0.passes);
    let keys = gateway.counters.keys();
    for _ in 0..10 {
        let (verdict, question) = both();
        assert!(!verdict.passes && !verdict.waits && question.is_none());
    }
    assert_eq!((gateway.passing(), gateway.counters.keys()), (1, keys));
    let (verdict, question) = both();
    assert!(!verdict.waits && question.is_none(), "it would be refused whatever the store says");
}

#[test]
fn a_request_that_waits_takes_nothing_of_other_limits() {
    let gateway = Gateway::new(100, Away::Strict);
    let local = fixed("local", 5, 3_600);
    let key = gateway.counters.key(&local, &[]);
    let mut asks = [Ask::new(&local, key), Ask::shared(&gateway.policy, gateway.name)];
    assert!(gateway.counters.decide(gateway.hands.now(), &mut asks).waits);
    assert_eq!((asks[0].told.counted, asks[0].told.remaining), (false, 5));
}

#[test]
fn two_asks_with_one_key_take_one_credit() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(3);
    let mut asks = [Ask::shared(&gateway.policy, gateway.name), Ask::shared(&gateway.policy, gateway.name)];
    assert!(gateway.counters.decide(gateway.hands.now(), &mut asks).passes);
    assert_eq!(asks.iter().filter(|ask| ask.told.counted).count(), 1);
    assert_eq!(gateway.passing(), 2);
}

#[test]
fn a_look_changes_nothing_and_asks_nothing() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let look = |gateway: &Gateway| {
        let mut asks = [Ask::shared(&gateway.policy, gateway.name)];
        let verdict = gateway.counters.look(gateway.hands.now(), &mut asks);
        assert_eq!(gateway.counters.question(&asks[0]), None);
        verdict
    };
    assert!(look(&gateway).waits);
    assert_eq!(gateway.counters.keys(), 0);
    gateway.lend(2);
    assert!((0..10).all(|_| look(&gateway).passes));
    assert_eq!(gateway.passing(), 2);
}

#[test]
fn a_quota_has_one_name_in_all_processes_and_a_key_of_its_own_in_each() {
    let hands = Hands::new();
    let policy = Policy::shared("gold", 100, 10, Away::Share).unwrap();
    let names: Vec<_> = (0..2).map(|_| Counters::new(hands.now(), 10).shared_key(&policy, &[b"a", b"bc"])).collect();
    assert_eq!(names[0].1, names[1].1);
    assert_ne!(names[0].0, names[1].0);
    let counters = Counters::new(hands.now(), 10);
    assert_ne!(counters.shared_key(&policy, &[b"ab", b"c"]).1, names[0].1);
    assert_eq!(counters.key(&policy, &[b"x"]), counters.shared_key(&policy, &[b"x"]).0);
}

#[test]
fn leases_count_as_keys_and_leave_when_their_window_is_over() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let before = gateway.counters.bytes();
    gateway.lend(1);
    assert!(gateway.counters.keys() > 1 && gateway.counters.bytes() > before);
    assert_eq!(gateway.counters.reports(gateway.hands.now()).len(), 1);
    gateway.hands.pass(11 * SECOND);
    assert!(gateway.counters.reports(gateway.hands.now()).is_empty());
    for _ in 0..64 {
        gateway.counters.tick(gateway.hands.now());
    }
    assert_eq!((gateway.counters.keys(), gateway.counters.bytes()), (0, before));
}

#[test]
fn counters_that_clients_choose_are_refused_when_there_are_too_many() {
    let gateway = Gateway::new(100, Away::Strict);
    let mut waiting = 0;
    for number in 0_u32..1_000 {
        let name = gateway.counters.shared_key(&gateway.policy, &[&number.to_le_bytes()]);
        let verdict = gateway.counters.decide(gateway.hands.now(), &mut [Ask::shared(&gateway.policy, name).chosen_by_client()]);
        assert!(verdict.waits != verdict.full);
        waiting += usize::from(verdict.waits);
    }
    let keys = gateway.counters.keys();
    assert!((1_000..1_020).contains(&keys) && waiting < 1_000, "{waiting} counters take {keys} keys");
}

#[test]
fn a_limit_that_is_raised_is_asked_for_although_the_lower_one_was_used_up() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.granted(&gateway.question(), gateway.grant(0, 0));
    assert!(!gateway.decide().0.waits);
    gateway.policy = Policy::shared("gold", 200, 10, Away::Strict).unwrap();
    assert_eq!(gateway.question().limit, 200);
}

/// A store that only this gateway asks, and answers as the script does for four.
#[derive(Default)]
struct Store {
    window: u64,
    total: u64,
}

impl Store {
    fn grant(&mut self, now: &Hands, question: &Question) -> Grant {
        let (length, wall) = (question.window.as_nanos() as u64, now.wall);
        if self.window != wall / length {
            (self.window, self.total) = (wall / length, 0);
        }
        let rest = question.limit - self.total;
        let granted = (rest / 8).max(1).min(question.wanted).min(rest);
        self.total += granted;
        let left = Duration::from_nanos(length - wall % length);
        Grant { window: self.window, granted, total: self.total, rest: rest - granted, left }
    }
}

/// What a request is told when it has waited for as many answers as it takes, each for half a millisecond.
fn ask_until_decided(gateway: &mut Gateway, store: &mut Store) -> (Verdict, Told) {
    loop {
        let (verdict, told, question) = gateway.decide();
        if let Some(question) = question {
            let grant = store.grant(&gateway.hands, &question);
            let sent = gateway.hands.now();
            gateway.hands.pass(SECOND / 2_000);
            assert_eq!(gateway.counters.granted(gateway.hands.now(), sent, &question, grant), Heard::Taken);
        }
        if !verdict.waits {
            return (verdict, told);
        }
    }
}

#[test]
fn a_client_alone_that_sends_what_remains_within_the_reset_is_not_refused_and_never_gets_more_than_the_limit() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let limit = dice.within(1, 300);
        let (mut gateway, mut store) = (Gateway::new(limit, Away::Strict), Store::default());
        for _ in 0..5 {
            gateway.hands.pass(dice.below(12 * SECOND));
            let (verdict, told) = ask_until_decided(&mut gateway, &mut store);
            if !verdict.passes {
                gateway.hands.pass_seconds(verdict.retry_after);
                assert!(ask_until_decided(&mut gateway, &mut store).0.passes, "seed {seed}: it came back when it was told to");
                continue;
            }
            let mut moments: Vec<u64> = (0..told.remaining).map(|_| dice.below(told.reset * SECOND + 1)).collect();
            moments.sort_unstable();
            let mut before = 0;
            for moment in moments {
                gateway.hands.pass(moment - before);
                before = moment;
                assert!(ask_until_decided(&mut gateway, &mut store).0.passes, "seed {seed}, limit {limit}: {told:?}");
            }
        }
        gateway.hands.pass_seconds(10 - gateway.hands.wall / SECOND % 10);
        let passed = (0..2 * limit).filter(|_| ask_until_decided(&mut gateway, &mut store).0.passes).count() as u64;
        assert_eq!(passed, limit, "seed {seed}: at one moment, and all of it");
    }
}
