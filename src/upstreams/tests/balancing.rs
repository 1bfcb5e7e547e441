//! Weights, load, keys, cookies, zones and priorities; ejection and its caps; circuit breakers, retries and room.

use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use tollgate_filter_api::RequestHead;
use tollgate_plan::Strategy;

use super::world::{Group, Selection, Upstreams, build, group, places, problem, select};
use crate::upstreams::{Asking, Choice, Nowhere, Report};

/// Endpoints with these settings each, in a group with those settings.
pub fn world(endpoints: &[Value], settings: Value) -> Upstreams {
    let listed: Vec<Value> = (1..).zip(endpoints).map(|(number, more)| endpoint(number, more)).collect();
    let mut entry = json!({ "production": listed });
    entry.as_object_mut().unwrap().extend(settings["pets"].as_object().cloned().unwrap_or_default());
    let more = json!({ "endpoints": { "pets": entry }, "upstream": settings.get("upstream").cloned().unwrap_or(json!({})) });
    build(group("pets", Strategy::LoadBalance, &["http://192.0.2.1"]), more).unwrap()
}

fn endpoint(number: usize, more: &Value) -> Value {
    let mut endpoint = json!({ "url": format!("http://192.0.2.{number}") });
    endpoint.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    endpoint
}

pub fn plain(count: usize, settings: Value) -> Upstreams {
    world(&vec![json!({}); count], json!({ "pets": settings }))
}

/// The place that a request tries first, and the request.
pub fn begin(group: &Group) -> (usize, Selection) {
    let now = Instant::now();
    let mut selection = select(group, now);
    selection.next(0, now).unwrap();
    (selection.current.unwrap(), selection)
}

/// How many of so many requests each endpoint gets.
pub fn shares(group: &Group, requests: usize) -> Vec<usize> {
    let mut shares = vec![0; group.endpoints().endpoints().len()];
    (0..requests).for_each(|_| shares[begin(group).0] += 1);
    shares
}

/// Requests to one endpoint that end like this.
pub fn end(group: &Group, place: usize, reports: impl IntoIterator<Item = Report>) {
    reports.into_iter().for_each(|report| group.endpoints().report(place, report));
}

#[test]
fn requests_are_shared_by_weight_and_one_of_weight_0_gets_none() {
    for strategy in ["round_robin", "least_requests", "ewma"] {
        let weights = [json!({ "weight": 3 }), json!({ "weight": 1 }), json!({ "weight": 0 })];
        let upstreams = world(&weights, json!({ "pets": { "balance": { "strategy": strategy } } }));
        let shares = shares(upstreams.group(0), 4000);
        assert_eq!(shares[2], 0, "{strategy}");
        if strategy == "round_robin" {
            assert!(shares[0].abs_diff(3000) < 20, "{shares:?}");
        }
        assert!(shares[0] > shares[1] || strategy != "round_robin");
    }
}

#[test]
fn the_one_with_fewer_requests_in_progress_gets_the_next() {
    let upstreams = plain(2, json!({ "balance": { "strategy": "least_requests" } }));
    let group = upstreams.group(0);
    let held: Vec<Selection> = (0..20).map(|_| begin(group).1).collect();
    let count = |place| held.iter().filter(|selection| selection.current == Some(place)).count();
    assert_eq!([count(0), count(1)], [10, 10]);
    drop(held);
    let (first, held) = begin(group);
    assert!((0..10).all(|_| begin(group).0 != first));
    drop(held);
    assert!(shares(group, 100).iter().all(|share| *share > 20));
}

#[test]
fn with_ewma_a_slow_one_gets_little_and_a_failing_one_too() {
    let upstreams = plain(2, json!({ "balance": { "strategy": "ewma" } }));
    let group = upstreams.group(0);
    for _ in 0..2 {
        let (place, mut selection) = begin(group);
        if place == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        selection.report(Report::Answered(200));
    }
    assert_eq!(shares(group, 100), [0, 100]);
    let (place, mut selection) = begin(group);
    assert_eq!(place, 1);
    selection.report(Report::Broke);
    drop(selection);
    assert_eq!(shares(group, 100), [100, 0]);
}

fn asking<'a>(head: &'a RequestHead, claims: Option<&'a serde_json::Map<String, Value>>) -> Asking<'a> {
    Asking { now: Instant::now(), head, claims, client: Some([192, 0, 2, 77].into()) }
}

/// Where a request with this header and cookie goes.
/// What a request with that field brings along.
pub fn choice(group: &Group, name: &str, value: &str) -> Choice {
    let mut head = RequestHead::build("GET", "/").unwrap();
    head.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    group.choice(&asking(&head, None))
}

pub fn goes(group: &Group, name: &str, value: &str) -> (usize, Selection) {
    let mut selection = group.select(choice(group, name, value));
    selection.next(0, Instant::now()).unwrap();
    (selection.current.unwrap(), selection)
}

#[test]
fn the_same_key_goes_to_the_same_endpoint_and_only_its_keys_move_when_one_fails() {
    let upstreams = plain(10, json!({ "balance": { "strategy": "hash", "key": { "header": "x-user" } }, "eject": { "share": 100 } }));
    let group = upstreams.group(0);
    let before: Vec<_> = (0..200).map(|user| goes(group, "x-user", &user.to_string()).0).collect();
    assert!((0..10).all(|place| before.contains(&place)));
    end(group, 3, vec![Report::Answered(503); 5]);
    for (user, before) in before.iter().enumerate() {
        let after = goes(group, "x-user", &user.to_string()).0;
        assert!(after == *before || *before == 3);
        assert_ne!(after, 3);
    }
    assert!(shares(group, 9).iter().filter(|share| **share == 1).count() == 9, "without the header it goes round");
}

#[test]
fn claims_cookies_and_addresses_are_keys_too() {
    let of = |key: Value| plain(10, json!({ "balance": { "strategy": "hash", "key": key } }));
    let by_cookie = of(json!({ "cookie": "user" }));
    assert_eq!(goes(by_cookie.group(0), "cookie", "a=b; user=7").0, goes(by_cookie.group(0), "cookie", "user=7").0);
    let head = RequestHead::build("GET", "/").unwrap();
    let by_claim = of(json!({ "claim": "sub" }));
    let place = |sub: Value| {
        let claims = json!({ "sub": sub });
        by_claim.group(0).choice(&asking(&head, claims.as_object())).key
    };
    assert!(place(json!("alice")).is_some() && place(json!("alice")) != place(json!("bob")) && place(json!(5)).is_none());
    let by_address = of(json!("address"));
    assert!(by_address.group(0).choice(&asking(&head, None)).key.is_some());
}

#[test]
fn a_cookie_keeps_a_client_with_its_endpoint_as_long_as_that_is_ready() {
    let upstreams = plain(3, json!({ "balance": { "sticky": { "cookie": "node", "keep": "1h" } } }));
    let group = upstreams.group(0);
    let (place, selection) = goes(group, "accept", "*/*");
    let cookie = selection.cookie(true).unwrap();
    let (pair, rest) = cookie.to_str().unwrap().split_once("; ").unwrap();
    assert_eq!(rest, "Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure");
    for _ in 0..5 {
        let (again, selection) = goes(group, "cookie", pair);
        assert_eq!((again, selection.cookie(true)), (place, None));
    }
    end(group, place, vec![Report::Answered(503); 5]);
    let (other, selection) = goes(group, "cookie", pair);
    assert!(other != place && selection.cookie(false).is_some());
    for nonsense in ["node=", "node=zz", "node=00000000000000001", "node=0000000000000000"] {
        assert!(goes(group, "cookie", nonsense).1.cookie(false).is_some(), "{nonsense}");
    }
}

#[test]
fn the_own_zone_comes_first_until_too_few_of_it_are_ready() {
    let zones = ["a", "a", "b", "b"].map(|zone| json!({ "zone": zone }));
    let upstreams = world(&zones, json!({ "upstream": { "zone": "b" }, "pets": { "eject": { "share": 100 } } }));
    let group = upstreams.group(0);
    assert_eq!(shares(group, 100), [0, 0, 50, 50]);
    end(group, 2, vec![Report::Broke; 5]);
    assert_eq!(shares(group, 100), [0, 0, 0, 100], "half of them are enough");
    end(group, 3, vec![Report::Broke; 5]);
    assert_eq!(shares(group, 100), [50, 50, 0, 0]);
}

#[test]
fn a_later_priority_joins_when_too_few_of_the_first_are_ready() {
    let priorities = [0, 0, 0, 1].map(|priority| json!({ "priority": priority }));
    let upstreams = world(&priorities, json!({ "pets": { "eject": { "share": 100 } } }));
    let group = upstreams.group(0);
    assert_eq!(shares(group, 99)[3], 0);
    end(group, 0, vec![Report::Broke; 5]);
    assert_eq!(shares(group, 100), [0, 50, 50, 0]);
    end(group, 1, vec![Report::Broke; 5]);
    assert_eq!(shares(group, 100), [0, 0, 50, 50]);
}

#[test]
fn no_more_are_ejected_than_may_be_and_one_alone_never_is() {
    let upstreams = plain(4, json!({}));
    let group = upstreams.group(0);
    (0..4).for_each(|place| end(group, place, vec![Report::Answered(502); 5]));
    assert_eq!(shares(group, 100), [0, 0, 50, 50]);
    let view = group.view(Instant::now());
    assert_eq!((view.ready, view.endpoints[0].why.as_ref().unwrap().to_string()), (2, "5 requests in a row failed".to_owned()));
    let alone = plain(1, json!({}));
    end(alone.group(0), 0, vec![Report::Broke; 50]);
    assert_eq!(shares(alone.group(0), 10), [10]);
}

#[test]
fn five_hundred_is_an_answer_and_switched_off_nothing_ejects() {
    let upstreams = plain(2, json!({}));
    end(upstreams.group(0), 0, vec![Report::Answered(500); 50]);
    assert_eq!(shares(upstreams.group(0), 10), [5, 5]);
    let off = plain(2, json!({ "eject": { "consecutive": 0 } }));
    end(off.group(0), 0, vec![Report::Broke; 50]);
    assert_eq!(shares(off.group(0), 10), [5, 5]);
}

#[test]
fn below_the_panic_threshold_all_take_requests() {
    let upstreams = plain(4, json!({ "balance": { "panic": 60 }, "eject": { "share": 100 } }));
    let group = upstreams.group(0);
    group.endpoints().checked(0, Err("status 500".into()));
    assert_eq!(shares(group, 99), [0, 33, 33, 33]);
    group.endpoints().checked(1, Err("status 500".into()));
    assert_eq!(shares(group, 100), [25, 25, 25, 25]);
    group.endpoints().checked(1, Ok(()));
    assert_eq!(shares(group, 99)[0], 0);
}

#[test]
fn when_checks_find_all_ill_all_take_requests() {
    let upstreams = plain(2, json!({}));
    let group = upstreams.group(0);
    (0..2).for_each(|place| group.endpoints().checked(place, Err("it does not answer".into())));
    assert_eq!(shares(group, 10), [5, 5]);
}

#[test]
fn one_that_joins_later_begins_with_a_tenth_of_its_share() {
    let upstreams = plain(2, json!({ "balance": { "slow_start": "1h" } }));
    let group = upstreams.group(0);
    assert_eq!(shares(group, 100), [50, 50]);
    let targets: Vec<_> = (1..=3).map(|number| crate::upstreams::Target::new(format!("http://192.0.2.{number}"))).collect();
    group.supply(crate::upstreams::Supply { by: "a test", targets: &targets }).unwrap();
    let shares = shares(group, 2100);
    assert!(shares[2].abs_diff(100) < 10 && shares[0].abs_diff(1000) < 10, "{shares:?}");
}

#[test]
fn a_retry_goes_to_one_that_was_not_tried_whatever_the_strategy() {
    for strategy in ["round_robin", "least_requests", "ewma", "failover"] {
        let upstreams = plain(5, json!({ "balance": { "strategy": strategy } }));
        let mut tried = places(select(upstreams.group(0), Instant::now()));
        tried.sort_unstable();
        assert_eq!(tried, [0, 1, 2, 3, 4], "{strategy}");
    }
}

#[test]
fn a_circuit_breaker_that_is_open_is_not_asked_even_as_the_last() {
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "1h", "statuses": [500] });
    let upstreams = plain(1, json!({ "circuit_breaker": breaker }));
    let group = upstreams.group(0);
    begin(group).1.report(Report::Answered(200));
    begin(group).1.report(Report::Answered(500));
    let now = Instant::now();
    assert_eq!(select(group, now).next(0, now), Err(Nowhere::Open));
    assert!(!select(group, now).has_more());
    assert_eq!(group.view(now).endpoints[0].why.as_ref().unwrap().word(), "circuit");
}

#[test]
fn a_trial_whose_request_is_dropped_is_left_to_the_next() {
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "0s", "statuses": [500] });
    let upstreams = plain(1, json!({ "circuit_breaker": breaker }));
    let group = upstreams.group(0);
    begin(group).1.report(Report::Answered(500));
    let now = Instant::now();
    let trial = begin(group).1;
    assert_eq!(select(group, now).next(0, now), Err(Nowhere::Open));
    drop(trial);
    begin(group).1.report(Report::Answered(200));
    assert!(select(group, now).next(0, now).is_ok() && select(group, now).next(0, now).is_ok());
}

#[test]
fn an_endpoint_has_no_more_requests_than_it_has_room_for() {
    let upstreams = plain(2, json!({ "capacity": { "requests": 2 } }));
    let group = upstreams.group(0);
    let mut held: Vec<Selection> = (0..4).map(|_| begin(group).1).collect();
    let count = |place| held.iter().filter(|selection| selection.current == Some(place)).count();
    assert_eq!([count(0), count(1)], [2, 2]);
    let now = Instant::now();
    assert_eq!(select(group, now).next(0, now), Err(Nowhere::Full));
    held.pop();
    assert!(select(group, now).next(0, now).is_ok());
}

#[test]
fn retries_are_counted_and_begin_anew_when_everybody_was_tried() {
    let upstreams = plain(1, json!({ "retry": { "count": 2, "interval": "1s", "factor": 3.0, "longest": "2s" } }));
    let (_, mut selection) = begin(upstreams.group(0));
    for pause in [1, 2] {
        assert_eq!(selection.retry(None), Some(Duration::from_secs(pause)));
        assert!(selection.next(0, Instant::now()).is_ok());
    }
    assert_eq!(selection.retry(None), None);
}

#[test]
fn what_cannot_be_enforced_is_told_with_its_place() {
    for (settings, pointer) in [
        (json!({ "balance": { "strategy": "hash" } }), "/balance/key"),
        (json!({ "balance": { "key": "address" } }), "/balance/key"),
        (json!({ "balance": { "strategy": "hash", "key": { "header": "a b" } } }), "/balance/key/header"),
        (json!({ "balance": { "sticky": { "cookie": "a;b" } } }), "/balance/sticky/cookie"),
        (json!({ "balance": { "sticky": { "cookie": "a", "keep": "900ms" } } }), "/balance/sticky/keep"),
        (json!({ "balance": { "strategy": "failover", "slow_start": "1s" } }), "/balance/slow_start"),
        (json!({ "eject": { "time": "0s" } }), "/eject/longest"),
        (json!({ "eject": { "share": 0 } }), "/eject/share"),
        (json!({ "circuit_breaker": { "threshold": 1 } }), "/circuit_breaker/threshold"),
        (json!({ "retry": { "interval": "1s" } }), "/retry/longest"),
        (json!({ "capacity": { "requests": 1, "pending": 1, "wait": "0s" } }), "/capacity/wait"),
        (json!({ "circuit_breaker": { "bucket": "1m" } }), "/circuit_breaker/bucket"),
        (json!({ "circuit_breaker": { "threshold": 1.5 } }), "/circuit_breaker/threshold"),
        (json!({ "retry": { "count": 11 } }), "/retry/count"),
        (json!({ "retry": { "factor": 0.5 } }), "/retry/factor"),
        (json!({ "capacity": { "requests": 0 } }), "/capacity/requests"),
        (json!({ "check": { "probe": "tcp", "interval": "50ms" } }), "/check/interval"),
        (json!({ "check": { "probe": "tcp", "healthy": 0 } }), "/check/healthy"),
        (json!({ "check": { "probe": { "http": { "path": "health" } } } }), "/check/probe/http/path"),
        (json!({ "check": { "probe": { "http": { "path": "/", "statuses": [] } } } }), "/check/probe/http/statuses"),
        (json!({ "check": { "probe": { "http": { "path": "/", "host": "u@h" } } } }), "/check/probe/http/host"),
        (json!({ "check": { "probe": { "grpc": { "service": "x".repeat(200) } } } }), "/check/probe/grpc/service"),
    ] {
        let problem = problem(group("pets", Strategy::Single, &["http://a.example"]), json!({ "endpoints": { "pets": settings } }));
        assert_eq!((problem.code, problem.pointer.as_str()), ("upstream.guards", &*format!("/endpoints/pets{pointer}")));
    }
}
