//! Limits that gateways share by way of a real Redis.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Fleet, Project,
    fleet::since_1970,
    parts::{Redis, RedisCluster, RedisSentinel},
    project::{everything, open_api},
    tollgate, until,
};

/// `stores.redis` of so many gateways. A call may take long, so that no answer is lost on a busy machine.
fn stores(redis: &Redis, gateways: usize) -> Vec<Value> {
    vec![json!({ "urls": [redis.url()], "timeout": "1s" }); gateways]
}

/// No test sees the end of its window.
fn yearly(requests: u64) -> Value {
    json!({ "requests": requests, "per": "365d", "shared": "strict" })
}

/// The parameters of the policy `shared` in `RateLimit`: what is left, and for how many seconds.
fn left(answer: &tollgate_tests::Response) -> (u64, u64) {
    let said = answer.field("ratelimit").unwrap();
    let numbers = said.strip_prefix("\"shared\";r=").unwrap().split_once(";t=").unwrap();
    (numbers.0.parse().unwrap(), numbers.1.parse().unwrap())
}

#[test]
fn of_a_limit_of_one_one_request_passes_whichever_gateways_are_asked() {
    let redis = Redis::start();
    let fleet = Fleet::start(&stores(&redis, 4), &yearly(1)).together();
    let passed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for client in 0..32 {
            let (fleet, passed) = (&fleet, &passed);
            scope.spawn(move || passed.fetch_add(fleet.passing(client % 4, 2), SeqCst));
        }
    });
    assert_eq!((passed.into_inner(), fleet.arrived.lock().unwrap().len()), (1, 1));
}

#[test]
fn in_every_window_a_limit_of_one_lets_one_pass() {
    let redis = Redis::start();
    let fleet = Fleet::start(&stores(&redis, 4), &json!({ "requests": 1, "per": "1s", "shared": "strict" })).together();
    let load = fleet.load();
    until("five requests to pass", || (fleet.arrived.lock().unwrap().len() >= 5).then_some(()));
    load.end();
    let surely = fleet.surely(1);
    assert!(surely.iter().all(|((from, to), passed)| *passed <= usize::try_from(to - from + 1).unwrap()), "{surely:?}");
}

#[test]
fn what_a_local_limit_refuses_takes_nothing_from_the_shared_one() {
    let redis = Redis::start();
    let throttle = json!({
        "policies": { "shared": yearly(10), "local": { "requests": 3, "per": "365d" } },
        "limits": [{ "policy": "shared", "key": ["api"] }, { "policy": "local", "key": ["header.x-caller"] }],
    });
    let fleet = Fleet::with(&stores(&redis, 4), &throttle).together();
    let passing = |gateway: usize, caller: &str| {
        let mut client = fleet.gateways[gateway].connect();
        let mut ask = || client.ask("GET", "/a/x", &[&format!("X-Caller: {caller}")], b"").unwrap().status();
        (0..6).filter(|_| ask() == 200).count()
    };
    let begun = Instant::now();
    assert_eq!([passing(0, "a"), passing(1, "b"), passing(2, "c")], [3; 3]);
    assert_eq!(passing(3, "d"), 1, "nine were taken");
    assert_eq!(passing(0, "e"), 0);
    // So small a limit is asked for each time, and each answer wakes who waits for it, not the time limit of 1 s.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn clients_are_promised_no_more_than_they_get_and_told_when_a_shared_limit_is_used_up() {
    const YEAR: u64 = 366 * 86_400;
    let redis = Redis::start();
    let fleet = Fleet::start(&stores(&redis, 4), &yearly(100)).together();
    let first = fleet.ask(0);
    let (promised, within) = left(&first);
    assert_eq!(first.field("ratelimit-policy"), Some("\"shared\";q=100;w=31536000"));
    assert!((1..100).contains(&promised) && (1..=YEAR).contains(&within), "{promised} {within}");
    assert_eq!(fleet.passing(0, usize::try_from(promised).unwrap()) as u64, promised, "the others are idle");
    let passed: usize = (0..4).map(|gateway| fleet.passing(gateway, 101)).sum::<usize>() + 1 + usize::try_from(promised).unwrap();
    assert_eq!(passed, 100);
    let refused = fleet.ask(1);
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!(refused.status() == 429 && left(&refused).0 == 0 && (1..=YEAR * 11 / 10).contains(&wait), "{refused:?}");
}

#[test]
fn what_a_gateway_holds_is_worth_nothing_in_the_next_window() {
    const WINDOW: u64 = 3;
    let mut redis = Redis::start();
    let policy = json!({ "requests": 1000, "per": format!("{WINDOW}s"), "shared": "strict" });
    let fleet = Fleet::start(&stores(&redis, 2), &policy).together();
    let next = until("something to be left of a slice when the store is gone", || {
        fleet.passing(0, 100);
        redis.kill();
        fleet.connected(false);
        let window = since_1970().as_secs() / WINDOW;
        if fleet.passing(0, 2) == 2 {
            return Some(Duration::from_secs((window + 1) * WINDOW));
        }
        redis.restart();
        fleet.connected(true);
        None
    });
    thread::sleep(next.saturating_sub(since_1970()));
    assert_eq!(fleet.passing(0, 100), 0);
    redis.restart();
    until("requests to pass again", || (fleet.ask(0).status() == 200).then_some(()));
}

#[test]
fn a_reload_keeps_what_a_gateway_holds_of_a_shared_limit() {
    let mut redis = Redis::start();
    let fleet = Fleet::start(&stores(&redis, 2), &yearly(1000)).together();
    let reload = || assert_eq!(fleet.gateways[0].reload().status(), 200);
    assert_eq!(fleet.passing(0, 100), 100);
    redis.kill();
    fleet.connected(false);
    reload();
    let held = fleet.passing(0, 1000);
    assert!(held > 0, "the rest of a slice needs no store");
    reload();
    assert_eq!(fleet.passing(0, 10), 0, "and none is there again after a reload");
    redis.restart();
    fleet.connected(true);
    until("requests to pass again", || (fleet.ask(0).status() == 200).then_some(()));
    let passed = 101 + held + fleet.passing(0, 1001) + fleet.passing(1, 1001);
    assert!((700..=1000).contains(&passed), "{passed} passed of 1000");
    reload();
    assert_eq!(fleet.ask(0).status(), 429);
}

#[test]
fn a_gateway_that_starts_while_the_store_is_away_serves_what_is_not_shared_and_nothing_that_is_strict() {
    let mut redis = Redis::start();
    redis.kill();
    let fleet = Fleet::start(&stores(&redis, 1), &yearly(5));
    let gateway = &fleet.gateways[0];
    assert_eq!(gateway.get("/a/x").status(), 200, "no limit applies to it");
    let refused = fleet.ask(0);
    assert_eq!((refused.status(), refused.field("retry-after")), (503, Some("1")));
    let document: Value = serde_json::from_str(&refused.text()).unwrap();
    assert_eq!(document["type"], "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity");
    assert!(refused.text().contains("throttle.away") && document["violated-policies"] == json!(["shared"]), "{document}");
    assert_eq!(gateway.metric("tollgate_quota_store_connected"), Some(0.0));
    redis.restart();
    let fleet = fleet.together();
    // A store that is new lends nothing in its first moments.
    until("the first request to pass", || (fleet.ask(0).status() == 200).then_some(()));
    assert_eq!(fleet.passing(0, 6), 4);
    let gateway = &fleet.gateways[0];
    gateway.metric_reaches("tollgate_quota_store_calls_total", 5.0);
    assert_eq!(gateway.metric("tollgate_quota_store_unsound_total"), Some(0.0));
    assert_eq!(gateway.metric("tollgate_quota_store_lost_total"), Some(0.0));
    redis.kill();
    fleet.connected(false);
    assert_eq!(fleet.ask(0).status(), 429, "it is known to be used up");
}

#[test]
fn a_cluster_of_three_masters_keeps_the_limits_of_all_callers() {
    const CALLERS: usize = 30;
    let mut cluster = RedisCluster::start();
    let store = json!({ "urls": cluster.urls(), "cluster": true, "timeout": "1s" });
    let limits = json!([{ "policy": "shared", "key": ["header.x-caller"] }]);
    let fleet = Fleet::with(&[store.clone(), store], &json!({ "policies": { "shared": yearly(4) }, "limits": limits })).together();
    let statuses = |gateway: usize, caller: String| {
        let mut client = fleet.gateways[gateway].connect();
        let mut ask = move || client.ask("GET", "/a/x", &[&format!("X-Caller: {caller}")], b"").unwrap().status();
        (0..3).map(move |_| ask())
    };
    for caller in 0..CALLERS {
        let all: Vec<u16> = (0..2).flat_map(|gateway| statuses(gateway, caller.to_string())).collect();
        assert_eq!(all, [200, 200, 200, 200, 429, 429], "of caller {caller}");
    }
    for node in &cluster.0 {
        assert!(!node.keys("tollgate:*:????????????????????????????????:*").is_empty(), "each holds its part");
    }
    cluster.0[2].kill();
    fleet.connected(false);
    let first: Vec<u16> = (0..CALLERS).filter_map(|caller| statuses(0, format!("later {caller}")).next()).collect();
    assert!(first.contains(&200) && first.contains(&503), "the others go on: {first:?}");
}

#[test]
fn a_replica_that_a_sentinel_promotes_keeps_the_limit() {
    let mut store = RedisSentinel::start();
    let redis = json!({ "urls": [store.url()], "sentinel": { "master": RedisSentinel::NAME }, "timeout": "1s" });
    let fleet = Fleet::start(&[redis.clone(), redis], &yearly(500)).together();
    let before = fleet.passing(0, 100) + fleet.passing(1, 100);
    assert_eq!(before, 200);
    store.master.kill();
    fleet.connected(false);
    fleet.connected(true);
    assert!(store.replica.cli(&["ROLE"]).starts_with("master"));
    // It lends nothing in its first moments.
    until("requests to pass again", || (fleet.ask(0).status() == 200).then_some(()));
    let passed = before + 1 + fleet.passing(0, 501) + fleet.passing(1, 501);
    assert!((375..=500).contains(&passed), "{passed} of 500");
}

#[test]
fn before_it_starts_a_gateway_says_what_a_shared_limit_promises_and_by_how_much_it_may_be_exceeded() {
    let project = Project::new().definition("a.json", open_api("/a", "http://127.0.0.1:1", everything()).to_string());
    let policies = json!({
        "gold": { "requests": 5000, "per": "1m", "shared": "strict" },
        "silver": { "requests": 202, "per": "2s" },
        "bronze": { "requests": 5, "per": "1h", "stop": false },
        "local": { "requests": 7, "per": "1m", "shared": "local" },
    });
    let config = json!({
        "listeners": [{ "address": "127.0.0.1:0" }],
        "stores": { "redis": { "urls": ["redis://127.0.0.1:1"], "gateways": 4 } },
        "chain": [{ "throttle": { "shared": "share", "policies": policies, "limits": [{ "policy": "gold", "key": ["api"] }] } }],
    });
    let (artifact, config) = (project.build(&[]), project.folder().write("gateway.yaml", config.to_string()));
    let say = |arguments: &[&str]| {
        let fixed = ["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()];
        tollgate(fixed.into_iter().chain(arguments.iter().map(AsRef::as_ref))).ok().stdout
    };
    let said = say(&[]);
    for line in [
        "shared    `gold`: all gateways together let 5000 requests pass in 60 s",
        "the store restarts empty, or evicts the quota: up to 5000 more in that window",
        "the store is away: nothing passes but what a gateway still holds",
        "with more than 625 gateways requests wait for the store",
        "shared    `silver`: all gateways together let 202 requests pass in 2 s",
        "the store is away: up to 100 more for each gateway that is cut off, of 4",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("bronze") && !said.contains("local"), "what refuses nothing, or is not shared, promises nothing: {said}");
    let data: Value = serde_json::from_str(&say(&["--format", "json"])).unwrap();
    let excess = json!({ "store_emptied": 202, "grants_lost": 202, "clock_jumped": 202, "share": 100 });
    assert_eq!((&data["shared"][1]["excess"], &data["shared"][0]["away"]), (&excess, &json!("strict")));
}
