//! Room at endpoints, who waits for it, and attempts that could not be made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tollgate_plan::Strategy;

use super::{
    balancing::{begin, choice, end, plain, world},
    world::{Selection, build, group, select},
};
use crate::upstreams::{Nowhere, Report};

#[test]
fn when_those_that_do_well_are_full_nobody_is_sent_to_one_that_does_not() {
    let endpoints = [json!({}), json!({}), json!({}), json!({ "weight": 0 }), json!({ "priority": 1 })];
    let upstreams = world(&endpoints, json!({ "pets": { "capacity": { "requests": 1 } } }));
    let group = upstreams.group(0);
    group.endpoints().checked(1, Err("status 500".into()));
    end(group, 2, vec![Report::Broke; 5]);
    let held = [begin(group), begin(group)];
    assert_eq!([held[0].0, held[1].0], [0, 4], "one that stands by has room");
    let now = Instant::now();
    assert_eq!(select(group, now).next(0, now), Err(Nowhere::Full));
}

#[test]
fn an_endpoint_that_was_tried_is_not_tried_again_because_the_others_were_full() {
    let upstreams = plain(2, json!({ "capacity": { "requests": 1 } }));
    let group = upstreams.group(0);
    let (first, mut selection) = begin(group);
    let (other, held) = begin(group);
    assert_ne!(first, other);
    let now = Instant::now();
    assert_eq!([selection.next(0, now), selection.next(0, now)], [Err(Nowhere::Full); 2]);
    drop(held);
    assert!(selection.next(0, now).is_ok());
    assert_eq!(selection.current, Some(other));
}

/// Waits for room, and says whether there was some.
async fn waits(mut selection: Selection, end: Option<Instant>) -> Option<Selection> {
    selection.next_with_room(0, Instant::now(), end).await.ok().map(|_| selection)
}

#[tokio::test]
async fn a_request_that_others_are_always_quicker_than_waits_no_longer_than_it_may() {
    let upstreams = plain(1, json!({ "capacity": { "requests": 1, "pending": 1, "wait": "300ms" } }));
    let group = upstreams.group(0);
    let mut held = begin(group).1;
    let begun = Instant::now();
    let mut waiting = tokio::spawn(waits(select(group, begun), None));
    while !waiting.is_finished() && begun.elapsed() < Duration::from_secs(5) {
        drop(held);
        held = begin(group).1;
        let _ = tokio::time::timeout(Duration::from_millis(20), &mut waiting).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(group.view(begun).waiting, 0);
}

#[tokio::test]
async fn nobody_waits_beyond_the_end_of_the_exchange() {
    let upstreams = plain(1, json!({ "capacity": { "requests": 1, "pending": 1, "wait": "1h" } }));
    let group = upstreams.group(0);
    let _held = begin(group).1;
    let now = Instant::now();
    let found = waits(select(group, now), Some(now + Duration::from_millis(50))).await;
    assert!(found.is_none() && now.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_wait_none_is_forgotten_when_room_is_made_and_all_of_it_is_given_back() {
    let upstreams = plain(2, json!({ "capacity": { "requests": 2, "pending": 10_000, "wait": "1m" } }));
    let group = upstreams.group(0).clone();
    let served = Arc::new(AtomicU32::new(0));
    let tasks: Vec<_> = (0..2000)
        .map(|number| {
            let (selection, served) = (select(&group, Instant::now()), served.clone());
            tokio::spawn(async move {
                let wait = waits(selection, None);
                if number % 3 == 0 {
                    // A client that leaves.
                    let _ = tokio::time::timeout(Duration::from_micros(number), wait).await;
                    return;
                }
                let found = wait.await;
                assert!(found.is_some());
                served.fetch_add(1, Relaxed);
                if number % 2 == 0 {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(30), task).await.expect("somebody was forgotten").unwrap();
    }
    assert_eq!(served.load(Relaxed), 1333);
    let view = group.view(Instant::now());
    assert_eq!((view.waiting, view.endpoints[0].active, view.endpoints[1].active), (0, Some(0), Some(0)));
}

#[test]
fn a_request_that_pauses_before_a_retry_leaves_its_room_to_others() {
    let upstreams = plain(1, json!({ "capacity": { "requests": 1 }, "retry": { "count": 1 } }));
    let group = upstreams.group(0);
    let (_, mut selection) = begin(group);
    selection.report(Report::Answered(503));
    assert!(selection.retry(None).is_some());
    drop(begin(group));
    assert!(selection.next(0, Instant::now()).is_ok());
}

#[test]
fn there_is_no_retry_that_the_circuit_breakers_would_refuse_or_that_would_come_too_late() {
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "1h", "statuses": [503] });
    let upstreams = plain(1, json!({ "circuit_breaker": breaker, "retry": { "count": 1, "interval": "1s", "longest": "1s" } }));
    let (_, mut selection) = begin(upstreams.group(0));
    assert_eq!(selection.retry(Some(Duration::from_secs(1))), None);
    selection.report(Report::Answered(503));
    assert_eq!(selection.retry(None), None);
    assert!(selection.endpoint().is_some(), "the answer that has come is passed on, with all that belongs to it");
}

#[test]
fn one_that_another_request_tries_is_nobody_to_go_on_to() {
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "0s", "statuses": [500] });
    let upstreams = plain(2, json!({ "circuit_breaker": breaker, "eject": { "consecutive": 0 } }));
    let group = upstreams.group(0);
    let (open, mut selection) = begin(group);
    selection.report(Report::Answered(500));
    drop(selection);
    let trial = std::iter::repeat_with(|| begin(group)).find(|(place, _)| *place == open).unwrap();
    let (other, selection) = begin(group);
    assert_ne!(other, open);
    assert!(!selection.has_more());
    drop(trial);
    assert!(selection.has_more());
}

#[test]
fn when_the_other_address_of_an_endpoint_may_not_be_tried_the_next_endpoint_is() {
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "1h" });
    let settings = json!({ "production": ["http://a.example", "http://b.example"], "circuit_breaker": breaker });
    let group = group("pets", Strategy::LoadBalance, &["http://a.example"]);
    let upstreams = build(group, json!({ "endpoints": { "pets": settings } })).unwrap();
    let (first, mut selection) = begin(upstreams.group(0));
    let address = ([192, 0, 2, 1], 80).into();
    selection.report(Report::Unreachable { address, at: Instant::now() });
    assert!(selection.has_more());
    assert!(selection.next(0, Instant::now()).is_ok());
    assert_ne!(selection.current, Some(first));
}

#[test]
fn a_cookie_keeps_a_client_in_the_canary_or_out_of_it() {
    let canary = json!({ "production": ["http://192.0.2.9"], "percent": 50 });
    let upstreams = plain(2, json!({ "balance": { "sticky": { "cookie": "node" } }, "canary": canary }));
    let group = upstreams.group(0);
    for number in 0..40_u64 {
        let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let fields = http::HeaderMap::new();
        let new = choice(group, "accept", "*/*");
        let first = group.divert(&fields, &new, number);
        let mut begun = first.select(new);
        begun.next(0, Instant::now()).unwrap();
        let cookie = begun.cookie(false).unwrap();
        let pair = cookie.to_str().unwrap().split_once("; ").unwrap().0;
        let known = choice(group, "cookie", pair);
        for other in 0..20_u64 {
            let then = group.divert(&fields, &known, other.wrapping_mul(0x2545_f491_4f6c_dd1d));
            assert_eq!(then.name, first.name);
        }
    }
}
