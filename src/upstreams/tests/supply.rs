//! Endpoints that change while requests run: what stays, what goes, and what a wrong supply does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use serde_json::{Value, json};
use tollgate_plan::Strategy;

use super::world::{Group, Names, Upstreams, build, gateway, group, next_host, plan, select};
use crate::upstreams::{self, Change, Factory, Inputs, Report, Supply, Target};

const A: &str = "http://192.0.2.1/";
const B: &str = "http://192.0.2.2/";
const C: &str = "http://192.0.2.3/";

fn pets(strategy: Strategy, urls: &[&str]) -> Upstreams {
    build(group("pets", strategy, urls), json!({})).unwrap()
}

fn supply(group: &Group, urls: &[&str]) -> Change {
    group.supply(Supply { by: "a test", targets: &targets(urls) }).unwrap()
}

fn targets(urls: &[&str]) -> Vec<Target> {
    urls.iter().map(|url| Target::new(*url)).collect()
}

fn hosts(group: &Group) -> Vec<String> {
    group.endpoints().endpoints().iter().map(|endpoint| endpoint.upstream.host.clone()).collect()
}

/// The host that one request tries first.
fn first(group: &Group) -> String {
    next_host(&mut select(group, Instant::now()), Instant::now()).unwrap()
}

#[test]
fn a_request_keeps_the_endpoints_it_began_with_and_the_next_one_gets_the_new_ones() {
    let upstreams = pets(Strategy::LoadBalance, &[A, B]);
    let group = upstreams.group(0);
    let mut before = select(group, Instant::now());
    assert_eq!(supply(group, &[C]), Change { joined: 1, left: 2 });
    assert_eq!(next_host(&mut before, Instant::now()).as_deref(), Some("192.0.2.1"));
    assert_eq!(next_host(&mut before, Instant::now()).as_deref(), Some("192.0.2.2"));
    assert_eq!(first(group), "192.0.2.3");
}

#[test]
fn a_retry_tries_endpoints_that_stay_before_those_that_have_left() {
    let upstreams = pets(Strategy::LoadBalance, &[A, B, C]);
    let group = upstreams.group(0);
    let mut selection = select(group, Instant::now());
    selection.next(0, Instant::now()).unwrap();
    supply(group, &[A, C]);
    let rest: Vec<_> = std::iter::from_fn(|| next_host(&mut selection, Instant::now())).collect();
    assert_eq!(rest, ["192.0.2.3", "192.0.2.2"]);
}

#[test]
fn an_endpoint_that_stays_is_the_same_wherever_it_stands_and_is_prepared_once() {
    let prepared = Arc::new(AtomicUsize::new(0));
    let count = prepared.clone();
    let connection = Box::new(move |_: &upstreams::Upstream| count.fetch_add(1, Ordering::Relaxed));
    let factory = Arc::new(Factory { resolver: Arc::new(Names::default()), connection, metrics: Default::default() });
    let (plan, gateway) = (plan(vec![group("pets", Strategy::LoadBalance, &[A, B])]), gateway(json!({})));
    let inputs = Inputs { plan: &plan, gateway: &gateway, file: "gateway.yaml", variables: &|_| None };
    let upstreams = upstreams::Upstreams::build(&inputs, &factory).unwrap();
    let group = upstreams.group(0);
    let old = group.endpoints();
    let change = group.supply(Supply { by: "a test", targets: &targets(&[C, B, "http://192.0.2.2:80", "http://192.0.2.2/path"]) }).unwrap();
    assert_eq!(change, Change { joined: 3, left: 1 });
    let new = group.endpoints();
    assert!(Arc::ptr_eq(&old.endpoints()[1], &new.endpoints()[1]));
    assert_eq!(prepared.load(Ordering::Relaxed), 5, "two at first; a URL that is there twice has two endpoints");
    assert!(old.endpoints()[0].has_left() && !old.endpoints()[1].has_left());
}

#[test]
fn what_is_known_of_an_endpoint_stays_with_it() {
    let upstreams = pets(Strategy::LoadBalance, &[A, B]);
    let group = upstreams.group(0);
    let address = group.endpoints().endpoints()[0].upstream.address(0).unwrap();
    group.endpoints().report(0, Report::Unreachable { address, at: Instant::now() });
    supply(group, &[C, A]);
    assert!((0..4).all(|_| first(group) == "192.0.2.3"));
    supply(group, &[C]);
    supply(group, &[C, A]);
    assert!((0..2).any(|_| first(group) == "192.0.2.1"), "one that left and came back is a new one");
}

#[test]
fn turns_go_on_where_they_were() {
    let upstreams = pets(Strategy::LoadBalance, &[A, B, C]);
    let group = upstreams.group(0);
    let firsts: Vec<_> = (0..6)
        .map(|_| {
            let host = first(group);
            supply(group, &[A, B, C]);
            host
        })
        .collect();
    assert_eq!(firsts, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
}

#[test]
fn failover_stays_with_its_endpoint_and_goes_on_with_the_next_that_is_left() {
    let upstreams = pets(Strategy::Failover, &[A, B, C]);
    let group = upstreams.group(0);
    group.endpoints().report(1, Report::Answered(200));
    supply(group, &[C, A, B]);
    assert_eq!(first(group), "192.0.2.2", "B is preferred wherever it stands");
    supply(group, &[A, C]);
    assert_eq!(first(group), "192.0.2.3", "before, C and then A came after B");
    supply(group, &[B]);
    supply(group, &[A, B]);
    assert_eq!(first(group), "192.0.2.2");
}

#[test]
fn a_late_word_on_an_endpoint_that_has_left_moves_nobody() {
    let upstreams = pets(Strategy::Failover, &[A, B, C]);
    let group = upstreams.group(0);
    let old = group.endpoints();
    supply(group, &[C, B]);
    let preferred = first(group);
    old.report(0, Report::Answered(200));
    old.report(0, Report::Answered(503));
    assert_eq!(first(group), preferred);
}

#[test]
fn a_late_failure_of_an_endpoint_that_stays_counts() {
    let upstreams = pets(Strategy::Failover, &[A, B]);
    let group = upstreams.group(0);
    let old = group.endpoints();
    supply(group, &[A, B, C]);
    old.report(0, Report::Answered(503));
    assert_eq!(first(group), "192.0.2.2");
}

#[test]
fn several_endpoints_that_replace_one_share_the_load_and_one_alone_has_no_strategy() {
    let upstreams = pets(Strategy::Single, &[A]);
    let group = upstreams.group(0);
    assert_eq!(first(group), first(group));
    supply(group, &[A, B]);
    assert_ne!(first(group), first(group));
}

#[test]
fn a_group_without_endpoints_has_nothing_to_try_and_recovers() {
    for strategy in [Strategy::LoadBalance, Strategy::Failover] {
        let upstreams = pets(strategy, &[A, B]);
        let group = upstreams.group(0);
        assert_eq!(supply(group, &[]), Change { joined: 0, left: 2 });
        let mut selection = select(group, Instant::now());
        assert!(selection.next(0, Instant::now()).is_err() && !selection.has_more());
        selection.report(Report::Unresolved);
        selection.restart();
        assert!(selection.next(0, Instant::now()).is_err());
        supply(group, &[B]);
        assert_eq!(first(group), "192.0.2.2");
    }
}

fn refused(settings: Value, urls: &[&str]) -> Vec<(&'static str, String, String)> {
    let upstreams = build(group("pets", Strategy::LoadBalance, &[A, B]), json!({ "endpoints": { "pets": settings } })).unwrap();
    let group = upstreams.group(0);
    let before = group.endpoints();
    let problems = group.supply(Supply { by: "etcd /pets", targets: &targets(urls) }).unwrap_err();
    assert!(Arc::ptr_eq(&before, &group.endpoints()) && hosts(group) == ["192.0.2.1", "192.0.2.2"]);
    assert!(before.endpoints().iter().all(|endpoint| !endpoint.has_left()));
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
    problems.0.into_iter().map(|problem| (problem.code, problem.file, problem.pointer)).collect()
}

#[test]
fn a_wrong_supply_changes_nothing_and_all_that_is_wrong_is_told() {
    let by = || "etcd /pets".to_owned();
    let wrong = refused(json!({}), &[C, "nonsense", "https://192.0.2.4/", "http://u:hunter2@192.0.2.5/"]);
    let expected = [("upstream.url", by(), "/1"), ("upstream.server_name", by(), "/2"), ("upstream.url", by(), "/3")];
    assert_eq!(wrong, expected.map(|(code, by, pointer)| (code, by, pointer.to_owned())));
    let soon = json!({ "response_header_timeout": "1s" });
    assert_eq!(refused(soon, &["https://a.example/"]), [("upstream.response_header_timeout", by(), "/0".to_owned())]);
}

#[test]
fn the_groups_settings_hold_for_whoever_comes() {
    let settings = json!({ "endpoints": { "pets": { "server_name": "pets.example", "preserve_host": true } } });
    let upstreams = build(group("pets", Strategy::Single, &[A]), settings).unwrap();
    let group = upstreams.group(0);
    supply(group, &["https://192.0.2.9:8443/base"]);
    let endpoint = group.endpoints().endpoints()[0].clone();
    let upstream = &endpoint.upstream;
    assert_eq!((upstream.server_name.as_str(), upstream.preserve_host, upstream.path.as_str()), ("pets.example", true, "/base"));
}
