//! Clocks that are set, the hand that goes round, and the bound.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Hands, SECOND, START, ask, fixed, gcra, passing, sliding};
use tollgate_counters::{Ask, Counters, Policy};

fn numbered(counters: &Counters, policy: &Policy, number: u64) -> tollgate_counters::Key {
    counters.key(policy, &[&number.to_le_bytes()])
}

#[test]
fn a_wall_clock_that_is_set_back_opens_no_second_window() {
    for seconds in [1, 59, 3_600, 100_000_000] {
        for policy in [fixed("fixed", 5, 60), sliding("sliding", 5, 60), gcra("gcra", 5, 60, 5)] {
            let mut hands = Hands::new();
            hands.pass_seconds(10);
            let counters = Counters::new(hands.now(), 1_000);
            let key = counters.key(&policy, &[]);
            assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5);
            hands.wall -= seconds * SECOND;
            assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 0, "{seconds} s back");
            // A counter that the hand has taken away in between must not come back either.
            hands.pass_seconds(49);
            let _removed: usize = (0..64).map(|_| counters.tick(hands.now())).sum();
            assert!(passing(&counters, hands.now(), &policy, key, 9) <= 4);
            hands.pass_seconds(121);
            assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5, "the clock stood still");
        }
    }
}

#[test]
fn a_wall_clock_that_is_set_forward_ends_one_window_and_opens_one() {
    let mut hands = Hands::new();
    hands.pass_seconds(10);
    let counters = Counters::new(hands.now(), 1_000);
    let policy = fixed("fixed", 5, 60);
    let key = counters.key(&policy, &[]);
    assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5);
    hands.wall += 1_000 * 60 * SECOND;
    assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5);
    hands.wall -= 1_000 * 60 * SECOND;
    assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 0);
    hands.pass_seconds(49);
    assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 0);
    hands.pass_seconds(1);
    assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5);
}

#[test]
fn windows_begin_at_multiples_of_their_length_on_the_wall_clock() {
    let mut hands = Hands::new();
    hands.wall += 7 * SECOND + SECOND / 2;
    let counters = Counters::new(hands.now(), 1_000);
    for window in [1, 7, 60, 86_400, 7 * 86_400] {
        let policy = fixed("fixed", 5, window);
        let told = ask(&counters, hands.now(), &policy, counters.key(&policy, &[]));
        assert_eq!(told.reset, (window - (START + 7) % window), "rounded up from half a second less");
    }
}

#[test]
fn clocks_at_the_ends_of_time_limit_all_the_same() {
    for wall in [0, 3_949_999_999, 5_000_000_000, 18_000_000_000] {
        let mut hands = Hands::new();
        hands.wall = wall * SECOND;
        let counters = Counters::new(hands.now(), 1_000);
        for policy in [fixed("fixed", 5, 60), sliding("sliding", 5, 31_536_000), gcra("gcra", 5, 60, 5)] {
            let key = counters.key(&policy, &[]);
            assert_eq!(passing(&counters, hands.now(), &policy, key, 9), 5);
        }
        hands.pass_seconds(2 * 31_536_000);
        let policy = fixed("fixed", 5, 60);
        assert_eq!(passing(&counters, hands.now(), &policy, counters.key(&policy, &[]), 9), 5, "time goes on after {wall}");
    }
}

#[test]
fn a_thread_that_was_held_up_over_the_edge_brings_no_window_back() {
    let mut hands = Hands::new();
    hands.pass(59 * SECOND);
    let counters = Counters::new(hands.now(), 1_000);
    let policy = fixed("fixed", 5, 60);
    let key = counters.key(&policy, &[]);
    assert_eq!(passing(&counters, hands.now(), &policy, key, 5), 5);
    let (late, next) = (hands.now(), hands.after(SECOND));
    let removed: usize = (0..64).map(|_| counters.tick(next)).sum();
    assert_eq!(removed, 1);
    // It has read the clock in the old window. What it counts, it counts in the new one.
    assert_eq!(passing(&counters, late, &policy, key, 2), 2);
    assert_eq!(passing(&counters, next, &policy, key, 9), 3);
}

#[test]
fn when_it_is_full_new_keys_of_clients_are_refused_and_all_others_count_on() {
    let mut hands = Hands::new();
    let counters = Counters::new(hands.now(), 5_000);
    let policy = fixed("address", 2, 60);
    let from = |number: u64| {
        let mut asks = [Ask::new(&policy, numbered(&counters, &policy, number)).chosen_by_client()];
        (counters.decide(hands.now(), &mut asks), asks[0].told)
    };
    for number in 0..5_000 {
        assert!(from(number).0.passes);
    }
    let (verdict, told) = from(5_000);
    assert_eq!((verdict.passes, verdict.full, verdict.retry_after), (false, true, 1));
    assert_eq!((told.full, told.remaining, told.counted), (true, 0, false));
    assert_eq!(counters.keys(), 5_000);
    // None of the live ones was taken away: each has exactly one request left.
    for number in 0..5_000 {
        assert_eq!((from(number).0.passes, from(number).0.full), (true, false));
    }
    let application = fixed("application", 1, 60);
    assert!(ask(&counters, hands.now(), &application, counters.key(&application, &[b"app"])).accepted);
    let mut watched = [Ask::new(&policy, numbered(&counters, &policy, 9_999)).chosen_by_client().never_stops()];
    let verdict = counters.decide(hands.now(), &mut watched);
    assert!(verdict.passes && !verdict.full && watched[0].told.full);
    assert_eq!(counters.keys(), 5_001);

    // When the window is over, there is room. The search before a refusal is bounded, so it may miss the last bit of it.
    hands.pass_seconds(60);
    let newcomers = (10_000..15_000).filter(|number| {
        let mut asks = [Ask::new(&policy, numbered(&counters, &policy, *number)).chosen_by_client()];
        counters.decide(hands.now(), &mut asks).passes
    });
    assert!(newcomers.count() > 4_500);
    assert!(counters.keys() <= 5_001);
}

#[test]
fn dead_counters_make_way_for_new_ones_without_more_memory() {
    let mut hands = Hands::new();
    let counters = Counters::new(hands.now(), 10_000_000);
    let policy = fixed("minute", 1, 60);
    let mut first = 0;
    for round in 0_u64..4 {
        for number in 0..280_000 {
            let key = numbered(&counters, &policy, round * 1_000_000 + number);
            assert!(ask(&counters, hands.now(), &policy, key).accepted);
        }
        if round == 0 {
            first = counters.bytes();
        }
        assert!(counters.keys() < 300_000, "round {round}: {}", counters.keys());
        assert!(counters.bytes() <= first * 11 / 10, "round {round}: {} after {first}", counters.bytes());
        hands.pass_seconds(60);
    }
}

#[test]
fn ticks_empty_an_idle_gateway_and_give_its_memory_back() {
    let mut hands = Hands::new();
    let counters = Counters::new(hands.now(), 10_000_000);
    let empty = counters.bytes();
    let (minute, day) = (fixed("minute", 1, 60), fixed("day", 3, 86_400));
    for number in 0..300_000 {
        ask(&counters, hands.now(), &minute, numbered(&counters, &minute, number));
    }
    for number in 0..1_000 {
        ask(&counters, hands.now(), &day, numbered(&counters, &day, number));
    }
    let full = counters.bytes();
    hands.pass_seconds(60);
    let removed: usize = (0..64).map(|_| counters.tick(hands.now())).sum();
    assert_eq!((removed, counters.keys()), (300_000, 1_000));
    assert!(counters.bytes() - empty < (full - empty) / 5, "{} of {full} bytes are kept", counters.bytes());
    for number in 0..1_000 {
        assert_eq!(ask(&counters, hands.now(), &day, numbered(&counters, &day, number)).remaining, 1, "a live one was touched");
    }
}
