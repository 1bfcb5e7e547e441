//! Whose turn it is, which address, which path.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use serde_json::json;
use tollgate_plan::Strategy;

use super::world::{Group, Selection, Upstreams, build, build_with, first, gateway, group, places, plan, select};
use crate::upstreams::{Report, outgoing};

const THREE: [&str; 3] = ["http://a.example/", "http://b.example/", "http://c.example/"];

fn three(strategy: Strategy) -> Upstreams {
    build(group("pets", strategy, &THREE), json!({})).unwrap()
}

fn orders(group: &Group, requests: usize) -> Vec<Vec<usize>> {
    (0..requests).map(|_| places(select(group, Instant::now()))).collect()
}

#[test]
fn load_balance_goes_round_strictly_from_the_first_and_tries_each_once() {
    let upstreams = three(Strategy::LoadBalance);
    let orders = orders(upstreams.group(0), 4);
    assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]);
}

#[test]
fn load_balance_divides_evenly_among_threads() {
    let upstreams = three(Strategy::LoadBalance);
    let group = upstreams.group(0);
    let firsts = || firsts(group, 300, Instant::now());
    let all: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(firsts)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for endpoint in 0..3 {
        assert_eq!(all.iter().filter(|first| **first == endpoint).count(), 400);
    }
}

#[test]
fn failover_stays_with_the_last_that_worked() {
    let upstreams = three(Strategy::Failover);
    let group = upstreams.group(0);
    assert_eq!(orders(group, 2), [[0, 1, 2], [0, 1, 2]]);
    group.endpoints().report(0, Report::Unresolved);
    group.endpoints().report(1, Report::Answered(200));
    assert_eq!(orders(group, 2), [[1, 2, 0], [1, 2, 0]]);
}

#[test]
fn failover_that_failed_everywhere_begins_where_it_began() {
    let upstreams = three(Strategy::Failover);
    let group = upstreams.group(0);
    for at in places(select(group, Instant::now())) {
        group.endpoints().report(at, Report::Unresolved);
    }
    assert_eq!(orders(group, 1), [[0, 1, 2]]);
}

#[test]
fn a_late_failure_of_an_endpoint_that_failover_has_left_moves_nothing() {
    let upstreams = three(Strategy::Failover);
    let group = upstreams.group(0);
    group.endpoints().report(0, Report::Unresolved);
    group.endpoints().report(2, Report::Answered(200));
    group.endpoints().report(0, Report::Unresolved);
    assert_eq!(orders(group, 1), [[2, 0, 1]]);
}

#[test]
fn only_failover_moves_on_at_a_status_and_only_at_four_of_them() {
    let moves = |strategy| (100..600).filter(|status| three(strategy).group(0).endpoints().is_failure(*status)).collect::<Vec<u16>>();
    assert_eq!(moves(Strategy::Failover), [501, 502, 503, 504]);
    assert!(moves(Strategy::LoadBalance).is_empty());
}

#[test]
fn one_url_is_single_whatever_was_written() {
    for strategy in [Strategy::Single, Strategy::LoadBalance, Strategy::Failover] {
        let upstreams = build(group("pets", strategy, &["http://a.example/"]), json!({})).unwrap();
        assert_eq!(orders(upstreams.group(0), 2), [[0], [0]]);
    }
}

#[test]
fn a_single_group_uses_its_first_url_only() {
    assert_eq!(orders(three(Strategy::Single).group(0), 2), [[0], [0]]);
}

const PLAIN: [&str; 3] = ["http://192.0.2.1/", "http://192.0.2.2/", "http://192.0.2.3/"];

/// Where a selection goes next, and that nobody is there.
fn refused(selection: &mut Selection, now: Instant) -> Option<(usize, SocketAddr)> {
    let address = selection.next(0, now).ok()?.unwrap();
    let tried = selection.current.unwrap();
    selection.report(Report::Unreachable { address, at: now });
    Some((tried, address))
}

/// The endpoints that one request tries when none of them can be connected to.
fn tried(group: &Group, now: Instant) -> Vec<usize> {
    let mut selection = select(group, now);
    std::iter::from_fn(|| refused(&mut selection, now)).map(|(tried, _)| tried).collect()
}

/// The endpoints that so many requests try first.
fn firsts(group: &Group, requests: usize, now: Instant) -> Vec<usize> {
    let first = |mut selection: Selection| {
        selection.next(0, now).unwrap();
        selection.current.unwrap()
    };
    (0..requests).map(|_| first(select(group, now))).collect()
}

#[test]
fn an_endpoint_that_cannot_be_connected_to_is_left_out_and_the_others_share_its_turns() {
    for strategy in [Strategy::LoadBalance, Strategy::Failover] {
        let upstreams = build(group("pets", strategy, &PLAIN), json!({})).unwrap();
        let (group, now) = (upstreams.group(0), Instant::now());
        let mut selection = select(group, now);
        assert_eq!(refused(&mut selection, now).unwrap().0, 0);
        selection.next(0, now).unwrap();
        assert_eq!(selection.current, Some(1));
        let firsts = firsts(group, 60, now);
        let of = |at| firsts.iter().filter(|first| **first == at).count();
        let expected = if strategy == Strategy::Failover { [0, 60, 0] } else { [0, 30, 30] };
        assert_eq!([of(0), of(1), of(2)], expected);
    }
}

#[test]
fn an_endpoint_that_was_reached_has_its_turns_again() {
    let upstreams = build(group("pets", Strategy::LoadBalance, &PLAIN), json!({})).unwrap();
    let (group, now) = (upstreams.group(0), Instant::now());
    let address = group.endpoints().endpoints()[1].upstream.address(0).unwrap();
    group.endpoints().report(1, Report::Unreachable { address, at: now });
    assert!(!firsts(group, 6, now).contains(&1));
    group.endpoints().report(1, Report::Reached(address));
    assert!(firsts(group, 3, now).contains(&1));
}

#[test]
fn when_every_endpoint_is_left_out_each_is_tried_all_the_same() {
    for (strategy, tries) in [(Strategy::LoadBalance, 3), (Strategy::Failover, 3), (Strategy::Single, 1)] {
        let upstreams = build(group("pets", strategy, &PLAIN), json!({})).unwrap();
        let (group, now) = (upstreams.group(0), Instant::now());
        for _ in 0..4 {
            let mut tried = tried(group, now);
            tried.sort_unstable();
            assert_eq!(tried, (0..tries).collect::<Vec<_>>(), "{strategy:?}");
        }
    }
}

#[test]
fn a_name_of_which_one_address_cannot_be_connected_to_goes_on_with_the_other() {
    let upstreams = three(Strategy::Single);
    let (group, now) = (upstreams.group(0), Instant::now());
    let mut selection = select(group, now);
    let (_, first) = refused(&mut selection, now).unwrap();
    assert!(selection.has_more(), "the other address is worth a try");
    let second = selection.next(0, now).unwrap().unwrap();
    assert_ne!(first, second);
    assert!((0..10).all(|turn| select(group, now).next(turn, now).unwrap() == Some(second)));
    selection.report(Report::Unreachable { address: second, at: now });
    assert!(!selection.has_more());
}

#[test]
fn addresses_of_a_name_take_turns() {
    let upstreams = three(Strategy::Single);
    let endpoint = first(&upstreams);
    let upstream = &endpoint.upstream;
    let picked: Vec<String> = (0..3).map(|turn| upstream.address(turn).unwrap().ip().to_string()).collect();
    assert_eq!(picked, ["192.0.2.1", "192.0.2.2", "192.0.2.1"]);
}

#[test]
fn a_literal_address_needs_no_look_up() {
    let upstreams = build(group("pets", Strategy::Single, &["http://[::1]:8080/"]), json!({})).unwrap();
    assert_eq!(first(&upstreams).upstream.address(5), Some("[::1]:8080".parse().unwrap()));
}

#[tokio::test]
async fn a_name_that_is_not_known_yet_is_waited_for() {
    let upstreams = build(group("pets", Strategy::Single, &["http://unknown.example/"]), json!({})).unwrap();
    let endpoint = first(&upstreams);
    let upstream = &endpoint.upstream;
    assert_eq!(upstream.address(1), None);
    assert_eq!(upstream.look_up(1).await.unwrap().ip().to_string(), "192.0.2.2");
}

fn sent(endpoint: &str, base_len: usize, path: &str, query: Option<&str>) -> String {
    let upstreams = build_with(&plan(vec![group("pets", Strategy::Single, &[endpoint])]), &gateway(json!({})), &BTreeMap::new()).unwrap();
    outgoing(&first(&upstreams).upstream, base_len, path, query)
}

#[test]
fn the_base_path_gives_way_to_the_endpoints_path() {
    assert_eq!(sent("http://a.example", 3, "/v1/pets/1", None), "/pets/1");
    assert_eq!(sent("http://a.example/", 3, "/v1/pets/1", None), "/pets/1");
    assert_eq!(sent("http://a.example/base/", 3, "/v1/pets/1", None), "/base/pets/1");
    assert_eq!(sent("http://a.example/base", 0, "/pets", None), "/base/pets");
}

#[test]
fn a_slash_goes_upstream_only_if_the_client_sent_one() {
    for (endpoint, base_len, path, query, target) in [
        ("http://a.example/base", 3, "/v1", None, "/base"),
        ("http://a.example/base/", 3, "/v1", None, "/base"),
        ("http://a.example/base", 3, "/v1/", None, "/base/"),
        ("http://a.example/base/", 3, "/v1/", None, "/base/"),
        ("http://a.example/base", 3, "/v1/pets/", None, "/base/pets/"),
        ("http://a.example/Echo?v=1", 3, "/v1", None, "/Echo?v=1"),
        ("http://a.example/Echo", 3, "/v1", Some("v=1"), "/Echo?v=1"),
        ("http://a.example/Echo/?v=1", 3, "/v1", Some("w=2"), "/Echo?v=1&w=2"),
        ("http://a.example/base", 0, "/", None, "/base/"),
    ] {
        assert_eq!(sent(endpoint, base_len, path, query), target, "{endpoint} {path}");
    }
}

#[test]
fn a_target_is_never_empty() {
    assert_eq!(sent("http://a.example", 3, "/v1", None), "/");
    assert_eq!(sent("http://a.example/", 3, "/v1", Some("x")), "/?x");
    assert_eq!(sent("http://a.example?k=1", 3, "/v1", None), "/?k=1");
    assert_eq!(sent("http://a.example", 0, "/", None), "/");
}

#[test]
fn only_the_first_occurrence_of_the_base_path_goes() {
    assert_eq!(sent("http://a.example", 3, "/v1/v1/x", None), "/v1/x");
}

#[test]
fn what_is_encoded_stays_encoded() {
    assert_eq!(sent("http://a.example/b%2Fc", 3, "/v1/a%20b%2Fc", Some("x=%26")), "/b%2Fc/a%20b%2Fc?x=%26");
}

#[test]
fn both_queries_are_sent_the_endpoints_first() {
    assert_eq!(sent("http://a.example/b?key=1", 3, "/v1/x", Some("y=2&z=3")), "/b/x?key=1&y=2&z=3");
    assert_eq!(sent("http://a.example/b?key=1", 3, "/v1/x", None), "/b/x?key=1");
    assert_eq!(sent("http://a.example/b", 3, "/v1/x", Some("y=2")), "/b/x?y=2");
    assert_eq!(sent("http://a.example?key=1", 3, "/v1/x", None), "/x?key=1");
}
