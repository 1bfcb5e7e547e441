//! A thousand groups of ten endpoints each, looked up in etcd, beside a single one: a change is in force as soon, and a request costs the same.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Settings, Upstream,
    parts::Etcd,
    project::{open_api, operation},
    revoking::percentiles,
    until,
};

const TARGETS: usize = 10;
/// Between two changes.
const PAUSE: Duration = Duration::from_millis(10);
const CHANGES: usize = 500;

fn key(group: usize, target: usize) -> String {
    format!("/services/g{group}/{target}")
}

/// The median and the 99th percentile of how long a change takes, and of how long a request takes meanwhile.
fn measure(groups: usize) -> [(Duration, Duration); 2] {
    let etcd = Etcd::start();
    let upstreams = ["0", "1"].map(|name| Upstream::answering(move |_| Reply::new(200, name)));
    let url = |upstream: usize, target: usize| format!("{}/t{target}", upstreams[upstream % 2].url());
    let mut definition = open_api("/a", &url(0, 0), json!({}));
    definition["x-wso2-endpoints"] = (0..groups).map(|group| json!({ format!("g{group}"): { "urls": [url(0, 0)] } })).collect();
    for group in 0..groups {
        let mut get = operation();
        get["x-wso2-production-endpoints"] = format!("#/x-wso2-endpoints/g{group}").into();
        definition["paths"][format!("/g{group}")] = json!({ "get": get });
    }
    let all: Vec<_> = (0..groups * TARGETS).map(|n| (key(n / TARGETS, n % TARGETS), url(0, n % TARGETS))).collect();
    etcd.put_pairs(&all);
    let endpoints = (0..groups).map(|group| {
        let discovery = json!({ "discovery": { "production": { "etcd": format!("/services/g{group}/") } } });
        (format!("g{group}"), discovery)
    });
    let config = json!({
        "stores": { "discovery": { "endpoints": [format!("http://127.0.0.1:{}", etcd.port)] } },
        "endpoints": endpoints.collect::<serde_json::Map<String, Value>>(),
    });
    let before = etcd.connections();
    let gateway = Gateway::serving(&definition, Settings::of(config));
    gateway.metric_reaches("tollgate_discovery_changes_total", groups as f64);
    assert_eq!(etcd.connections(), before + 1, "all groups share one connection");

    let (mut client, mut changes, mut requests) = (gateway.connect(), Vec::new(), Vec::new());
    let mut ask = |group: usize| {
        let begun = Instant::now();
        let answer = client.ask("GET", &format!("/a/g{group}"), &[], b"").unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        requests.push(begun.elapsed());
        answer.text()
    };
    let begun = Instant::now();
    for change in 0..CHANGES {
        let (group, target) = (change * 7 % groups, change % TARGETS);
        // Every tenth change is of a whole group, so that the next request shows whether it is in force.
        if change % 10 == 9 {
            let (upstream, written) = (change / 10 + 1, Instant::now());
            etcd.put_pairs(&(0..TARGETS).map(|target| (key(group, target), url(upstream, target))).collect::<Vec<_>>());
            until("the change", || (ask(group) == (upstream % 2).to_string()).then_some(()));
            changes.push(written.elapsed());
        } else {
            etcd.put(&key(group, target), &json!({ "url": url(change / 10, target), "weight": change % 9 + 1 }).to_string());
            ask(group);
        }
        thread::sleep((PAUSE * u32::try_from(change + 1).unwrap()).saturating_sub(begun.elapsed()));
    }
    println!("{groups} groups of {TARGETS}: {CHANGES} changes in {:?}, {} MiB", begun.elapsed(), gateway.memory());
    [percentiles(changes), percentiles(requests)]
}

#[test]
fn a_thousand_groups_are_looked_up_as_fast_as_one() {
    for groups in [1, 1000] {
        let [(median, p99), (request, request_p99)] = measure(groups);
        println!("{groups} groups: a change is met after {median:?}, p99 {p99:?}; a request takes {request:?}, p99 {request_p99:?}");
        assert!(median < Duration::from_millis(100), "{median:?}");
    }
}
