//! What is refused as a limit, whose counter is whose, and what outlives a reload.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Hands, ask, bytes, fixed, gcra, look, passing, sliding};
use tollgate_counters::{Algorithm, Ask, Counters, Limit, MAX_LIMIT, MAX_WINDOW, Policy, PolicyError};

#[test]
fn what_cannot_be_enforced_is_refused_with_a_reason_and_a_way_out() {
    use Algorithm::{Fixed, Gcra, Sliding};
    use Limit::{Bytes, Requests};
    let burst = |burst| Gcra { burst };
    for (algorithm, limit, window, error) in [
        (Fixed, Requests(0), 60, PolicyError::ZeroLimit),
        (Fixed, Bytes(0), 60, PolicyError::ZeroLimit),
        (Fixed, Requests(MAX_LIMIT + 1), 60, PolicyError::LargeLimit(MAX_LIMIT + 1)),
        (Fixed, Bytes(u64::MAX), 60, PolicyError::LargeLimit(u64::MAX)),
        (Fixed, Requests(1), 0, PolicyError::ZeroWindow),
        (Sliding, Requests(1), MAX_WINDOW + 1, PolicyError::LongWindow(MAX_WINDOW + 1)),
        (Fixed, Requests(1), u64::MAX, PolicyError::LongWindow(u64::MAX)),
        (Sliding, Bytes(1), 60, PolicyError::BytesNeedFixed),
        (burst(1), Bytes(1), 60, PolicyError::BytesNeedFixed),
        (Sliding, Requests(1 << 32), 60, PolicyError::LargeSliding(1 << 32)),
        (burst(0), Requests(1), 60, PolicyError::ZeroBurst),
        (burst(1), Requests(1_000_001), 1, PolicyError::FastGcra { limit: 1_000_001, window: 1 }),
        (burst(1), Requests(MAX_LIMIT), MAX_WINDOW, PolicyError::FastGcra { limit: MAX_LIMIT, window: MAX_WINDOW }),
        (burst(367), Requests(1), 86_400, PolicyError::LargeBurst(367)),
        (burst(u64::MAX), Requests(1), 60, PolicyError::LargeBurst(u64::MAX)),
    ] {
        assert_eq!(Policy::new("p", algorithm, limit, window), Err(error.clone()));
        assert!(error.to_string().contains(" set ") || error.to_string().contains("choose "), "no way out: {error}");
    }
    assert_eq!(Policy::concurrent("p", 0), Err(PolicyError::ZeroLimit));
}

#[test]
fn the_largest_limits_count() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    for policy in [
        fixed("fixed", MAX_LIMIT, MAX_WINDOW),
        sliding("sliding", u64::from(u32::MAX), MAX_WINDOW),
        gcra("gcra", 1_000_000, 1, 1_000_000),
        gcra("slow", 1, MAX_WINDOW, 1),
    ] {
        let key = counters.key(&policy, &[]);
        let before = look(&counters, hands.now(), &policy, key).remaining;
        assert_eq!(ask(&counters, hands.now(), &policy, key).remaining, before, "the look was for this request");
        assert!(look(&counters, hands.now(), &policy, key).remaining < before.max(1));
    }
    let much = bytes("bytes", MAX_LIMIT, MAX_WINDOW);
    let key = counters.key(&much, &[]);
    counters.add(hands.now(), &much, key, u64::MAX);
    counters.add(hands.now(), &much, key, u64::MAX);
    assert!(!ask(&counters, hands.now(), &much, key).accepted);
}

#[test]
fn parts_of_a_key_do_not_run_together_and_policies_do_not_share() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let (one, other) = (fixed("one", 1, 60), fixed("other", 1, 60));
    let keys = [
        counters.key(&one, &[b"app1", b"23"]),
        counters.key(&one, &[b"app12", b"3"]),
        counters.key(&one, &[b"app123"]),
        counters.key(&one, &[b"app123", b""]),
        counters.key(&other, &[b"app1", b"23"]),
        counters.key(&fixed("one", 1, 61), &[b"app1", b"23"]),
        counters.key(&sliding("one", 1, 60), &[b"app1", b"23"]),
        counters.key(&bytes("one", 1, 60), &[b"app1", b"23"]),
    ];
    for (at, key) in keys.iter().enumerate() {
        assert!(keys[..at].iter().all(|earlier| earlier != key), "key {at} is another's");
    }
    assert_eq!(keys[0], counters.key(&one, &[b"app1", b"23"]));
    let stranger = Counters::new(hands.now(), 1_000);
    assert_ne!(keys[0], stranger.key(&one, &[b"app1", b"23"]), "the hash has no key of its process");
}

#[test]
fn a_changed_limit_keeps_the_count_and_a_changed_window_or_algorithm_begins_anew() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let pass = |policy: &Policy| {
        let key = counters.key(policy, &[b"app"]);
        passing(&counters, hands.now(), policy, key, 20)
    };
    assert_eq!(pass(&fixed("gold", 5, 60)), 5);
    assert_eq!(pass(&fixed("gold", 8, 60)), 3);
    assert_eq!(pass(&fixed("gold", 2, 60)), 0);
    assert_eq!(pass(&fixed("gold", 5, 61)), 5);
    assert_eq!(pass(&sliding("gold", 5, 60)), 5);
    assert_eq!(pass(&fixed("silver", 5, 60)), 5);
    assert_eq!(pass(&gcra("gold", 5, 60, 2)), 2);
    assert_eq!(pass(&gcra("gold", 5, 60, 3)), 1);
}

#[test]
fn one_key_asked_twice_counts_once() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policy = Policy::concurrent("together", 2).unwrap();
    let key = counters.key(&policy, &[]);
    let mut asks = [Ask::new(&policy, key), Ask::new(&policy, key)];
    assert!(counters.decide(hands.now(), &mut asks).passes);
    assert_eq!(asks.iter().filter(|ask| ask.told.counted).count(), 1);
    counters.release(key);
    counters.release(key);
    assert_eq!(passing(&counters, hands.now(), &policy, key, 5), 2, "what was never taken cannot be given back");
}

#[test]
fn bytes_count_when_they_are_known_and_then_stop_the_next_request() {
    let mut hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policy = bytes("volume", 1_000, 60);
    let key = counters.key(&policy, &[b"app"]);
    counters.add(hands.now(), &policy, key, 999);
    let told = ask(&counters, hands.now(), &policy, key);
    assert_eq!((told.accepted, told.remaining, told.counted), (true, 1, false));
    counters.add(hands.now(), &policy, key, 500);
    let told = ask(&counters, hands.now(), &policy, key);
    assert_eq!((told.accepted, told.remaining, told.retry_after), (false, 0, 60));
    hands.pass_seconds(60);
    assert_eq!(ask(&counters, hands.now(), &policy, key).remaining, 1_000);

    let requests = fixed("requests", 5, 60);
    let key = counters.key(&requests, &[]);
    counters.add(hands.now(), &requests, key, 3);
    assert_eq!(ask(&counters, hands.now(), &requests, key).remaining, 4, "bytes are no requests");
}

#[test]
fn more_limits_than_fit_the_stack_are_all_asked() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policies: Vec<_> = (0..50).map(|number| fixed(&format!("policy {number}"), 50 - number, 60)).collect();
    let mut asks: Vec<_> = policies.iter().map(|policy| Ask::new(policy, counters.key(policy, &[]))).collect();
    assert!(counters.decide(hands.now(), &mut asks).passes);
    assert!(!counters.decide(hands.now(), &mut asks).passes);
    assert_eq!(asks.iter().filter(|ask| !ask.told.accepted).count(), 1);
    assert!(counters.decide(hands.now(), &mut []).passes);
}
