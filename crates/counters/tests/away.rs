//! What passes while the store of a shared quota is away, and how much that may be too much.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Hands, SECOND, START, gateway::Gateway};
use tollgate_counters::{Ask, Away, Counters, Epsilon, Grant, Policy};

#[test]
fn without_the_store_a_share_passes_once_in_a_window_and_a_strict_quota_lets_nothing_pass() {
    for (away, share) in [(Away::Share, [25, 25, 12]), (Away::Strict, [0, 0, 0])] {
        let mut gateway = Gateway::new(100, away);
        gateway.counters.set_fleet(4, true);
        assert_eq!((gateway.passing(), gateway.passing()), (share[0], 0));
        assert!(gateway.decide().0.away);
        gateway.hands.pass(10 * SECOND);
        assert_eq!((gateway.passing(), gateway.passing()), (share[1], 0));
        gateway.hands.pass(15 * SECOND);
        assert_eq!((gateway.passing(), gateway.passing()), (share[2], 0), "half of the window is left");
    }
}

#[test]
fn the_share_is_without_what_was_granted() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.lend(20);
    gateway.counters.set_fleet(4, true);
    assert_eq!(gateway.passing(), 20 + 4, "for nine of ten seconds");
}

#[test]
fn nothing_passes_before_anybody_has_spoken_of_a_store() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policy = Policy::shared("gold", 100, 10, Away::Share).unwrap();
    let name = counters.shared_key(&policy, &[]);
    let verdict = counters.decide(hands.now(), &mut [Ask::shared(&policy, name)]);
    assert!(verdict.away && !verdict.passes && !verdict.waits);
    let verdict = counters.decide(hands.now(), &mut [Ask::new(&policy, name.0)]);
    assert!(verdict.away && !verdict.passes, "without the quota's name");
}

#[test]
fn epsilon_is_what_was_granted_and_may_be_forgotten_and_two_shares_of_each_process() {
    let epsilon = Epsilon { limit: 200, gateways: 16 };
    assert_eq!([epsilon.store_emptied(150), epsilon.store_emptied(u64::MAX)], [150, 200]);
    assert_eq!([epsilon.grants_lost(3), epsilon.clock_jumped(500)], [3, 200]);
    assert_eq!([epsilon.shares(16), epsilon.shares(0)], [2 * 16 * 12, 0]);
    assert_eq!(Epsilon { limit: 200, gateways: 0 }.shares(5), 0);
}

#[test]
fn the_share_is_a_part_of_what_was_left() {
    let gateway = Gateway::new(100, Away::Share);
    gateway.granted(&gateway.question(), gateway.grant(1, 20));
    gateway.counters.set_fleet(4, true);
    assert_eq!(gateway.passing(), 1 + 5, "a quarter of 20");
}

#[test]
fn a_lease_that_is_idle_keeps_its_credits_and_the_mark_of_its_share_as_long_as_the_window_runs() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.policy = Policy::shared("an hour", 100, 3_600, Away::Share).unwrap();
    gateway.name = gateway.counters.shared_key(&gateway.policy, &[b"with credits"]);
    let grant = Grant { window: START / 3_600, left: Duration::from_secs(3_600), ..gateway.grant(1, 99) };
    gateway.granted(&gateway.question(), grant);
    let with_credits = gateway.name;
    gateway.counters.set_fleet(4, true);
    gateway.name = gateway.counters.shared_key(&gateway.policy, &[b"with a share"]);
    assert_eq!(gateway.passing(), 25);
    gateway.hands.pass(1_000 * SECOND);
    for _ in 0..64 {
        gateway.counters.tick(gateway.hands.now());
    }
    assert_eq!(gateway.passing(), 0, "no second share");
    gateway.name = with_credits;
    gateway.counters.set_fleet(4, false);
    assert!(gateway.decide().0.passes);
}
