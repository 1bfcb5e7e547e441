//! What limits count by and when they apply, end to end, and what a wrong limit is told.

use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use tollgate_tests::{
    Client, Folder, Gateway, Settings, Upstream,
    h2::{H2, Outcome},
    project::{artifact, everything, open_api, operation},
    tollgate,
};

#[test]
fn limits_count_by_parameters_of_path_and_query_in_whatever_spelling_and_apply_under_conditions() {
    let upstream = Upstream::start();
    let mut pet = operation();
    pet["parameters"] = json!([{ "name": "pet", "in": "path", "required": true, "schema": { "type": "string" } }]);
    let definition = open_api("/a/v1", &upstream.url(), json!({ "/pets/{pet}": { "get": pet } }));
    let throttle = json!({ "throttle": {
        "policies": { "one": { "requests": 1, "per": "365d" } },
        "limits": [
            { "policy": "one", "key": ["path.pet", "query.user"] },
            { "policy": "one", "key": ["api"], "when": [{ "client": ["127.0.0.0/8"] }, { "header": "X-Trial", "is": ["yes"] }] },
        ],
    } });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": [throttle] })));
    let status = |target: &str, fields: &[&str]| gateway.send("GET", target, fields, b"").status();
    assert_eq!(status("/a/v1/pets/tom?user=a", &[]), 200);
    for again in ["/a/v1/pets/tom?user=a", "/a/v1/pets/t%6Fm?user=%61", "/a/v1//pets/./tom?x=y&us%65r=a"] {
        assert_eq!(status(again, &[]), 429, "{again}");
    }
    assert_eq!([status("/a/v1/pets/kim?user=a", &[]), status("/a/v1/pets/tom?user=b", &[])], [200, 200]);
    assert_eq!(status("/a/v1/pets/c", &["X-Trial: yes"]), 200);
    assert_eq!(status("/a/v1/pets/d", &["X-Trial: yes"]), 429);
    assert_eq!(status("/a/v1/pets/d", &["X-Trial: no"]), 200);
    assert_eq!(upstream.count(), 5);
}

#[test]
fn a_limit_that_cannot_be_enforced_does_not_start_and_file_and_line_are_named() {
    let folder = Folder::new();
    let artifact = artifact(&folder, &open_api("/a", "http://127.0.0.1:1", everything()));
    for (policies, limits, line, words) in [
        ("some: { requests: 1, per: 1min }", "policy: some, key: [api]", 5, "1h"),
        ("some: { requests: 0, per: 1m }", "policy: some, key: [api]", 5, "at least 1"),
        ("some: { bytes: 1GB, per: 1m }", "policy: some, key: [api]", 5, "10MiB"),
        ("some: { requests: 99999999999999999999, per: 1m }", "policy: some, key: [api]", 5, "too large"),
        ("some: { requests: 9999999999999999, per: 1m }", "policy: some, key: [api]", 5, "999999999999999"),
        ("some: { requests: 1, per: 1m }", "policy: sone, key: [api]", 7, "did you mean `some`?"),
        ("some: { requests: 1, per: 1m }", "policy: some, key: [path]", 7, "path.NAME"),
        ("some: { requests: 1, per: 1m }", "policy: some, key: [api], when: [{ client: [10.0.0.0/40] }]", 7, "10.0.0.0/8"),
        ("some: { requests: 1, per: 1m }", "policy: some, key: [api], wehn: []", 7, "`when`"),
    ] {
        let text = format!(
            "listeners: [{{ address: '127.0.0.1:0' }}]\nchain:\n  - throttle:\n      policies:\n        {policies}\n      limits:\n        - {{ {limits} }}\n"
        );
        let config = folder.write("gateway.yaml", &text);
        let ran = tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()]);
        assert_eq!(ran.code, 1, "{text}{ran:?}");
        assert!(ran.stderr.contains(&format!("gateway.yaml:{line}: error[")) && ran.stderr.contains(words), "{text}{}", ran.stderr);
    }
}

/// Each request that passed is told what is left: a number that every window gives once.
#[test]
fn across_the_edges_of_short_windows_and_over_both_protocols_exactly_as_many_pass_as_the_limit_says() {
    const LIMIT: u64 = 40;
    // `TOLLGATE_WINDOWS=100` for as many windows.
    let seconds: u64 = std::env::var("TOLLGATE_WINDOWS").map_or(6, |windows| windows.parse().unwrap());
    let upstream = Upstream::start();
    let throttle = json!({ "throttle": {
        "policies": { "some": { "requests": LIMIT, "per": "1s" } }, "limits": [{ "policy": "some", "key": ["api"] }],
    } });
    let settings = Settings { h2c: true, ..Settings::of(json!({ "chain": [throttle] })) };
    let gateway = Gateway::serving(&open_api("/a", &upstream.url(), everything()), settings);
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (begun, first) = (Instant::now(), second());
    let goes_on = || begun.elapsed().as_secs() < seconds;
    let mut left = BTreeMap::<u64, u64>::new();
    let mut over_h2 = 0;
    std::thread::scope(|scope| {
        let plain: Vec<_> = (0..48)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut left) = (gateway.connect(), Vec::new());
                    while goes_on() {
                        let answer = client.ask("GET", "/a/x", &[], b"").unwrap();
                        if answer.status() == 200 {
                            let said = answer.field("ratelimit").unwrap().split(";r=").nth(1).unwrap();
                            left.push(said.split(';').next().unwrap().parse().unwrap());
                        }
                    }
                    left
                })
            })
            .collect();
        let h2: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
                    let stream = (1..).step_by(2).take_while(|_| goes_on());
                    stream
                        .filter(|stream| {
                            client.get(*stream, "/a/x", &[]).unwrap();
                            client.outcome(*stream) == Outcome::Answered(200)
                        })
                        .count() as u64
                })
            })
            .collect();
        plain.into_iter().flat_map(|thread| thread.join().unwrap()).for_each(|number| *left.entry(number).or_default() += 1);
        over_h2 = h2.into_iter().map(|thread| thread.join().unwrap()).sum();
    });
    let windows = second() - first + 1;
    let over_h1: u64 = left.values().sum();
    assert_eq!(over_h1 + over_h2, upstream.count() as u64);
    assert!(over_h1 > LIMIT && over_h2 > 0, "{over_h1} over HTTP/1.1, {over_h2} over HTTP/2");
    assert!(
        left.iter().all(|(number, times)| *number < LIMIT && *times <= windows),
        "one of {windows} windows gave a number twice: {left:?}"
    );
    assert!(over_h1 + over_h2 <= LIMIT * windows, "{over_h1} and {over_h2} in {windows} windows");
    assert!(over_h1 + over_h2 >= LIMIT * (seconds / 2), "half of the windows were not used: {over_h1} and {over_h2}");
}
