//! The `throttle` filter from outside.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use filter_throttle::{KIND, Throttle};
use tollgate_counters::{Counters, Key, Question};
use tollgate_filter_api::{OperationInfo, Principal, PrincipalParts};
use tollgate_filter_testkit::{Conformance, FakeClock, Harness, Run, Setup, principal};
use tollgate_testkit::Folder;
use tollgate_throttling::{Kept, Lend, Moment, NAME, Throttling};

#[test]
fn it_conforms() {
    let full = |setup: Setup| setup.offering(NAME, &throttling(1, Kept::nowhere()));
    let crowded = |setup: Setup| {
        let throttling = throttling(100, Kept::nowhere());
        // For as long as the test runs.
        std::mem::forget(throttling.shield.enter(&[192, 0, 2, 1], 1));
        setup.offering(NAME, &throttling)
    };
    let away = |setup: Setup| setup.offering(NAME, &sharing());
    let conformance = Conformance::<Throttle>::new(&KIND).with_world("full", full).with_world("away", away).with_world("crowded", crowded);
    conformance.with_world("traffic_manager", common::manager).run();
}

fn problem(settings: &str) -> (String, String) {
    let problem = Harness::<Throttle>::problem(settings);
    (problem.pointer, format!("{} {}", problem.message, problem.hint))
}

#[test]
fn what_cannot_be_counted_does_not_start_and_the_place_is_named() {
    for (settings, pointer, word) in [
        ("{ policies: { a: { requests: 0, per: 1m } } }", "/policies/a", "at least 1"),
        ("{ policies: { a: { requests: 1, per: 0s } } }", "/policies/a", "0 seconds"),
        ("{ policies: { a: { requests: 1, per: 500ms } } }", "/policies/a/per", "whole seconds"),
        ("{ policies: { a: { requests: 1, per: 400d } } }", "/policies/a", "366 days"),
        ("{ policies: { a: { requests: 10000000000000000, per: 1m } } }", "/policies/a", "999999999999999"),
        ("{ policies: { a: { requests: 1, per: 1m, burst: 2 } } }", "/policies/a/burst", "`gcra`"),
        ("{ policies: { a: { requests: 1, per: 1m, algorithm: gcra, burst: 0 } } }", "/policies/a", "burst"),
        ("{ policies: { a: { requests: 1 } } }", "/policies/a", "`per`"),
        ("{ policies: { a: { per: 1m } } }", "/policies/a", "one of"),
        ("{ policies: { a: { requests: 1, bytes: 1KiB, per: 1m } } }", "/policies/a", "one of"),
        ("{ policies: { a: { bytes: 0B, per: 1m } } }", "/policies/a", "at least 1"),
        ("{ policies: { a: { bytes: 1KB, per: 1m } } }", "/policies/a/bytes", "64KiB"),
        ("{ policies: { a: { requests: 1, per: 1min } } }", "/policies/a/per", "5m"),
        ("{ policies: { a: { requests: 18446744073709551616, per: 1m } } }", "/policies/a/requests", "too large"),
        ("{ policies: { a: { bytes: 1KiB, per: 1m, algorithm: sliding } } }", "/policies/a/algorithm", "`requests`"),
        ("{ policies: { a: { concurrent: 0 } } }", "/policies/a", "at least 1"),
        ("{ policies: { a: { concurrent: 1, per: 1m } } }", "/policies/a/per", "same time"),
        ("{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [query.] }] }", "/limits/0/key/0", "query.NAME"),
        ("{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [api], when: [{}] }] }", "/limits/0/when/0", "one of"),
        (
            "{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [api], when: [{ query: a, claim: b }] }] }",
            "/limits/0/when/0",
            "one of",
        ),
        (
            "{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [api], when: [{ client: [::1, 10.0.0.0/33] }] }] }",
            "/limits/0/when/0/client/1",
            "10.0.0.0/8",
        ),
        (
            "{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [api], when: [{ client: [::1], is: [a] }] }] }",
            "/limits/0/when/0/is",
            "by itself",
        ),
        (
            "{ policies: { a: { concurrent: 1 } }, limits: [{ policy: a, key: [api], when: [{ header: 'a b' }] }] }",
            "/limits/0/when/0/header",
            "header",
        ),
        ("{ blocks: [{ user: a }, {}] }", "/blocks/1", "at least one"),
        ("{ blocks: [{ client: [10.0.0.0/8, ten] }] }", "/blocks/0/client/1", "10.0.0.0/8"),
        ("{ tiers: { unsubscribed: Default } }", "/tiers/unsubscribed", "subscription: true"),
        ("{ tiers: { subscription: true, unsubscribed: Default } }", "/tiers/unsubscribed", "`Default`"),
        (
            "{ policies: { gold: { requests: 1, per: 1m } }, limits: [{ policy: glod, key: [api] }] }",
            "/limits/0/policy",
            "did you mean `gold`?",
        ),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ policy: a, key: [] }] }", "/limits/0/key", "one to 4"),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ policy: a, key: [clientip] }] }", "/limits/0/key/0", "client.address"),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ key: [api] }] }", "/limits/0", "either"),
        ("{ anonymous: guests }", "/anonymous", "guests"),
    ] {
        let (at, said) = problem(settings);
        assert_eq!(at, pointer, "{settings}: {said}");
        assert!(said.contains(word), "{settings}: {said}");
    }
}

#[test]
fn a_policy_of_the_project_that_cannot_be_enforced_is_named_with_its_line() {
    let list = |window: u64, count: u64| {
        serde_json::json!({ "application": { "Long": {
            "count": count, "window_seconds": window, "stop_on_quota": true, "source": "policies.yaml:7" } } })
    };
    for (settings, pointer) in
        [("{ tiers: { application: true } }", "/tiers/application"), ("{ limits: [{ policy: Long, key: [api] }] }", "/limits/0/policy")]
    {
        for (window, count, word) in [(2 * 365 * 86_400, 1, "366 days"), (60, 1_000_000_000_000_000, "999999999999999")] {
            let problem = Harness::<Throttle>::setup().declared_once(list(window, count)).problem(settings);
            assert_eq!(problem.pointer, pointer);
            assert!(problem.message.contains("`Long` (policies.yaml:7)") && problem.message.contains(word), "{problem}");
        }
    }
}

#[test]
fn limits_that_share_a_policy_count_each_for_itself() {
    let harness = Harness::<Throttle>::yaml(
        "{ policies: { one: { requests: 1, per: 1m } }, \
         limits: [{ policy: one, key: [principal.subject] }, { policy: one, key: [header.x-tenant] }] }",
    );
    let ask = |subject: &str, tenant: &str| harness.request("GET", "/").given(principal(subject)).header("x-tenant", tenant).run();
    ask("a", "b").next();
    // Each name was used up by the other limit alone.
    ask("b", "a").next();
    ask("a", "c").assert_denied(429, "throttle.limit");
    ask("c", "a").assert_denied(429, "throttle.limit");
}

/// A credential of a client, with these claims.
fn credential(client: &str, claims: serde_json::Value) -> Principal {
    let claims = claims.as_object().unwrap().clone();
    Principal::new(PrincipalParts { filter: "jwt", client: Some(client.to_owned()), claims, ..PrincipalParts::default() })
}

#[test]
fn a_block_of_one_of_several_credentials_holds() {
    let harness = Harness::<Throttle>::yaml("{ blocks: [{ application: other }] }");
    let ask = |second: &str| {
        let token = credential("one", serde_json::json!({ "application": { "id": 7 } }));
        harness.request("GET", "/").credentials([token, credential(second, serde_json::json!({}))]).run()
    };
    ask("good").next();
    ask("other").assert_denied(403, "throttle.blocked");
}

#[test]
fn a_spike_arrest_that_only_reports_refuses_nobody() {
    let settings =
        "policies: { Gold: { requests: 9, per: 1h } }, tiers: { subscription: true, spike_arrest: true }, headers: { ratelimit: false }";
    let [reports, refuses] = ["true", "false"].map(|shadow| Harness::<Throttle>::yaml(&format!("{{ {settings}, shadow: {shadow} }}")));
    for (limit, unit) in [(1, "fortnight"), (u64::MAX, "sec")] {
        let claims = serde_json::json!({
            "tierInfo": { "Gold": { "spikeArrestLimit": limit, "spikeArrestUnit": unit } },
            "subscribedAPIs": [{ "name": "pets", "version": "1", "subscriptionTier": "Gold" }],
        });
        let pets = || OperationInfo { api: "pets".to_owned(), version: "1".to_owned(), ..OperationInfo::default() };
        let ask =
            |harness: &Harness<Throttle>| harness.request("GET", "/").operation(pets()).given(credential("one", claims.clone())).run();
        ask(&reports).next();
        ask(&refuses).assert_denied(500, "throttle.unknown_tier");
    }
}

fn run(harness: &Harness<Throttle>) -> Run {
    harness.request("GET", "/").given(principal("one")).run()
}

#[test]
fn as_many_are_in_progress_as_the_limit_says_however_they_end() {
    let harness =
        Harness::<Throttle>::yaml("{ policies: { two: { concurrent: 2 } }, limits: [{ policy: two, key: [principal.subject] }] }");
    let (mut first, second) = (run(&harness).next(), run(&harness).next());
    let refused = run(&harness).assert_denied(429, "throttle.limit");
    assert_eq!(refused.answer_header("retry-after"), Some("1"), "nobody knows when one of them is over");
    drop(refused);
    run(&harness).assert_denied(429, "throttle.limit");
    harness.request("GET", "/").given(principal("two")).run().next();
    first.done(200);
    let third = run(&harness).next();
    run(&harness).assert_denied(429, "throttle.limit");
    // Its end is never told: the gateway gave the request up.
    drop(second);
    let fourth = run(&harness).next();
    run(&harness).assert_denied(429, "throttle.limit");
    drop((first, third, fourth));
    let (_again, _twice) = (run(&harness).next(), run(&harness).next());
    run(&harness).assert_denied(429, "throttle.limit");
}

#[test]
fn what_another_limit_refuses_is_not_in_progress() {
    let harness = Harness::<Throttle>::yaml(
        "{ policies: { two: { concurrent: 2 }, three: { requests: 3, per: 1m } }, \
         limits: [{ policy: two, key: [principal.subject] }, { policy: three, key: [api] }] }",
    );
    for _ in 0..3 {
        run(&harness).next().done(200);
    }
    let _kept = [run(&harness), run(&harness), run(&harness)].map(|run| run.assert_denied(429, "throttle.limit"));
    harness.advance(Duration::from_secs(60));
    let _open = [run(&harness).next(), run(&harness).next()];
    run(&harness).assert_denied(429, "throttle.limit");
}

#[test]
fn bytes_of_both_bodies_count_when_the_request_is_over_and_stop_the_next_one() {
    let harness =
        Harness::<Throttle>::yaml("{ policies: { kib: { bytes: 1KiB, per: 1m } }, limits: [{ policy: kib, key: [principal.subject] }] }");
    run(&harness).next().done_after(200, 23, 1000);
    let mut last = run(&harness).next();
    let mut beside = run(&harness).next();
    assert_eq!(last.response(200).get(&"ratelimit".parse().unwrap()).unwrap(), "\"kib\";r=1;t=60");
    last.done_after(200, 0, 5000);
    run(&harness).assert_denied(429, "throttle.limit");
    beside.done_after(200, 7000, 0);
    harness.advance(Duration::from_secs(60));
    run(&harness).next();
}

fn counters(max_keys: usize) -> Arc<Counters> {
    Arc::new(Counters::new(Moment { wall: SystemTime::now(), instant: Instant::now() }, max_keys))
}

/// A store that answers each question after 30 ms, with nothing.
#[derive(Default)]
struct Slow {
    clock: OnceLock<&'static FakeClock>,
    waited: Mutex<Vec<Duration>>,
}

impl Lend for Slow {
    fn ask(&self, _: Question) {}

    fn patience(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn answered(&self, _: &[Key], patience: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.waited.lock().unwrap().push(patience);
        self.clock.get().unwrap().advance(patience.min(Duration::from_millis(30)));
        Box::pin(std::future::ready(()))
    }
}

fn slowly_shared(stop: bool) -> (&'static Harness<Throttle>, Arc<Slow>) {
    let slow = Arc::<Slow>::default();
    let counters = counters(100);
    counters.set_fleet(1, false);
    let throttling = Arc::new(Throttling::new(counters, Kept::nowhere()).sharing(slow.clone()));
    let settings = format!(
        "{{ policies: {{ a: {{ requests: 9, per: 1m, shared: strict, stop: {stop} }}, b: {{ requests: 1, per: 1m, shared: local }} }}, \
         limits: [{{ policy: a, key: [api] }}, {{ policy: b, key: [header.x-caller] }}] }}"
    );
    let harness = Box::leak(Box::new(Harness::<Throttle>::setup().offering(NAME, &throttling).yaml(&settings)));
    slow.clock.set(harness.clock()).unwrap();
    (harness, slow)
}

#[test]
fn a_request_waits_for_the_store_no_longer_than_the_time_limit_however_often_it_is_woken() {
    let (harness, slow) = slowly_shared(true);
    let refused = run(harness).assert_denied(503, "throttle.away");
    assert_eq!(refused.answer_header("ratelimit"), Some("\"a\";r=0;t=1"));
    assert_eq!(*slow.waited.lock().unwrap(), [50, 20].map(Duration::from_millis));
    assert_eq!(harness.metric("throttle_over_total", Some("a")), 0.0, "nobody knows");
}

#[test]
fn a_limit_that_refuses_nothing_is_neither_waited_for_nor_told_while_nobody_knows_it() {
    let (harness, slow) = slowly_shared(false);
    let mut passed = run(harness).next();
    assert_eq!(passed.response(200).get(&"ratelimit".parse().unwrap()).unwrap(), "\"b\";r=0;t=60");
    assert!(slow.waited.lock().unwrap().is_empty());
    assert_eq!(harness.metric("throttle_over_total", Some("a")), 0.0);
    run(harness).assert_denied(429, "throttle.limit");
    assert_eq!(harness.metric("throttle_over_total", Some("b")), 1.0);
}

/// A store that nobody can reach.
struct Away;

impl Lend for Away {
    fn ask(&self, question: Question) {
        panic!("nobody should ask {question:?}");
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn answered(&self, _: &[Key], _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        panic!("nobody should wait");
    }
}

fn sharing() -> Arc<Throttling> {
    Arc::new(Throttling::new(counters(100), Kept::nowhere()).sharing(Arc::new(Away)))
}

#[test]
fn what_gateways_share_needs_a_store_and_fixed_windows_of_requests() {
    let shared = |policy: &str| format!("{{ policies: {{ a: {policy} }}, shared: strict }}");
    let (pointer, said) = problem(&shared("{ requests: 1, per: 1m }"));
    assert!(pointer == "/shared" && said.contains("`stores.redis`"), "{pointer} {said}");
    let (pointer, said) = problem("{ policies: { a: { requests: 1, per: 1m, shared: share } } }");
    assert!(pointer == "/policies/a/shared" && said.contains("`stores.redis`"), "{pointer} {said}");
    for (policy, place) in [
        ("{ bytes: 1KiB, per: 1m }", "/policies/a"),
        ("{ concurrent: 1 }", "/policies/a"),
        ("{ requests: 1, per: 1m, algorithm: sliding }", "/policies/a"),
        ("{ requests: 1, per: 1m, algorithm: gcra, shared: share }", "/policies/a/shared"),
    ] {
        let setup = Harness::<Throttle>::setup().offering(NAME, &sharing());
        let problem = setup.problem(&shared(policy));
        assert!(problem.pointer == place && problem.message.contains("`shared: local`"), "{policy}: {problem}");
        let local = policy.replace(", shared: share", "").replace(" }", ", shared: local }");
        Harness::<Throttle>::setup().offering(NAME, &sharing()).yaml(&shared(&local));
    }
}

fn throttling(max_keys: usize, blocks: Kept) -> Arc<Throttling> {
    Arc::new(Throttling::new(counters(max_keys), blocks))
}

#[test]
fn blocks_that_change_at_run_time_hold_for_operations_without_any_limit() {
    let folder = Folder::new();
    let throttling = throttling(100, Kept::open(&folder.join("blocks.json")).unwrap());
    let harness = Harness::<Throttle>::setup().offering(NAME, &throttling).yaml("{}");
    let change = |text: &str| throttling.blocks.change(&serde_json::from_str(text).unwrap()).unwrap();
    run(&harness).next();
    change(r#"{"block":[{"user":"two"},{"user":"one"}]}"#);
    run(&harness).assert_denied(403, "throttle.blocked");
    change(r#"{"unblock":[{"user":"one"}]}"#);
    run(&harness).next();
    harness.request("GET", "/").given(principal("two")).run().assert_denied(403, "throttle.blocked");
    assert!(Harness::<Throttle>::setup().is_idle("{}"), "without a file to keep them in there are none");
}

#[test]
fn a_client_has_as_many_requests_in_progress_as_the_shield_lets_it_however_they_end() {
    let harness = Harness::<Throttle>::yaml("{ shield: 2 }");
    let (mut first, second) = (run(&harness).next(), run(&harness).next());
    run(&harness).assert_denied(429, "throttle.shield");
    first.done(200);
    let _third = run(&harness).next();
    run(&harness).assert_denied(429, "throttle.shield");
    drop(second);
    run(&harness).next();
}

#[test]
fn the_operator_sees_who_is_over_a_limit_and_no_secret_of_theirs() {
    let throttling = throttling(100, Kept::nowhere());
    let harness = Harness::<Throttle>::setup()
        .offering(NAME, &throttling)
        .yaml("{ policies: { one: { requests: 1, per: 1m } }, limits: [{ policy: one, key: [principal.subject, header.x-key] }] }");
    let ask = || harness.request("GET", "/").given(principal("ann")).header("x-key", "hunter2").run();
    ask().next();
    ask().assert_denied(429, "throttle.limit");
    let lines = throttling.top.lines(5);
    assert_eq!((lines.len(), &*lines[0].policy, lines[0].over), (1, "one", 1));
    assert_eq!(lines[0].key, "principal.subject header.x-key: ann sha256:f52fbd32b2b3");
}
