//! What a scrape shows, and what a line of the access log holds.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tollgate_filter_api::{KeyType, Method, Metrics, OperationInfo, Principal, PrincipalParts, Reason, RequestId};
use tollgate_plan::{Api, Operation, Plan, Source, Target, Transports};

use crate::chain::{Explanation, Failure, Waived, gateway, undecided};

use super::{Counted, LimitCounters, Line, Operations, Statuses, Telemetry, line::timestamp};

static EXPIRED: Reason = Reason::refused("jwt.expired", 401, 900_901, "Expired", "Get a new one.");

fn telemetry() -> Arc<Telemetry> {
    Arc::new(Telemetry::new([&EXPIRED]))
}

fn scrape(telemetry: &Telemetry) -> String {
    telemetry.render(&Metrics::default(), [].iter())
}

/// The value of a series, if a scrape shows it.
fn value(telemetry: &Telemetry, series: &str) -> Option<f64> {
    scrape(telemetry).lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn api(title: &str, ids: &[String]) -> Api {
    let operation = |id: &String| Operation {
        id: id.clone(),
        method: "GET".into(),
        template: format!("/{id}"),
        target: Target::Endpoints { production: Some(0), sandbox: None },
        security: serde_json::from_value(json!({ "alternatives": [], "source": Source::default() })).unwrap(),
        conditions: Vec::new(),
        body_bytes: None,
        demands: Vec::new(),
        declarations: Vec::new(),
        source: Source::default(),
    };
    Api {
        title: title.into(),
        version: "1.0".into(),
        base_path: format!("/{title}"),
        transports: Transports { http: true, https: true },
        auth_header: None,
        hosts: Vec::new(),
        routes: false,
        whole_path: false,
        owner: None,
        operations: ids.iter().map(operation).collect(),
        source: Source::default(),
    }
}

fn plan(apis: &[(&str, &[&str])]) -> Plan {
    let apis = apis.iter().map(|(title, ids)| api(title, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>())).collect();
    Plan { apis, ..Plan::default() }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn operations_are_numbered_over_all_apis_in_order() {
    let telemetry = telemetry();
    let operations = telemetry.operations(&plan(&[("pets", &["list", "get"]), ("owners", &["list"])]));
    operations.operation(1).ended(200, MS, None);
    operations.operation(2).ended(404, MS, None);
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="pets:1.0",code="2xx",operation="get"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="owners:1.0",code="4xx",operation="list"}"#), Some(1.0));
}

#[test]
fn what_met_no_operation_is_counted_without_a_name_that_the_client_chose() {
    let telemetry = telemetry();
    let operations = telemetry.operations(&plan(&[("pets", &["list"])]));
    operations.api(0).ended(405, MS, None);
    operations.nowhere().ended(404, MS, None);
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="pets:1.0",code="4xx",operation=""}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="",code="4xx",operation=""}"#), Some(1.0));
}

#[test]
fn a_status_outside_of_every_class_is_counted_as_none() {
    let telemetry = telemetry();
    let operations = telemetry.operations(&plan(&[]));
    for status in [0, 99, 600, 999, u16::MAX] {
        operations.nowhere().ended(status, MS, None);
    }
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="",code="none",operation=""}"#), Some(5.0));
}

#[test]
fn the_gateways_own_time_is_what_upstreams_did_not_take() {
    let telemetry = telemetry();
    let operations = telemetry.operations(&plan(&[("pets", &["list"])]));
    operations.operation(0).ended(200, 10 * MS, Some(8 * MS));
    assert_eq!(value(&telemetry, r#"tollgate_request_duration_seconds_sum{api="pets:1.0"}"#), Some(0.01));
    assert_eq!(value(&telemetry, r#"tollgate_upstream_duration_seconds_sum{api="pets:1.0"}"#), Some(0.008));
    assert_eq!(value(&telemetry, "tollgate_gateway_duration_seconds_sum"), Some(0.002));
}

#[test]
fn a_request_that_met_no_upstream_has_no_upstream_time() {
    let telemetry = telemetry();
    telemetry.operations(&plan(&[("pets", &["list"])])).operation(0).ended(401, MS, None);
    assert!(!scrape(&telemetry).contains("tollgate_upstream_duration_seconds_count"));
}

#[test]
fn six_thousand_operations_that_nobody_calls_cost_no_series() {
    let telemetry = telemetry();
    let before = scrape(&telemetry).lines().count();
    let ids: Vec<String> = (0..6000).map(|i| format!("op{i}")).collect();
    let operations = telemetry.operations(&Plan { apis: vec![api("big", &ids)], ..Plan::default() });
    assert_eq!(scrape(&telemetry).lines().count(), before);
    operations.operation(5999).ended(200, MS, None);
    assert_eq!(scrape(&telemetry).lines().filter(|line| line.starts_with("tollgate_requests_total{")).count(), 1);
}

#[test]
fn counters_go_on_after_a_reload_even_while_the_old_plan_still_serves() {
    let telemetry = telemetry();
    let old = telemetry.operations(&plan(&[("pets", &["list"])]));
    old.operation(0).ended(200, MS, None);
    let new = telemetry.operations(&plan(&[("ants", &["list"]), ("pets", &["list"])]));
    new.operation(1).ended(200, MS, None);
    old.operation(0).ended(200, MS, None);
    assert_eq!(value(&telemetry, r#"tollgate_requests_total{api="pets:1.0",code="2xx",operation="list"}"#), Some(3.0));
    assert_eq!(value(&telemetry, r#"tollgate_request_duration_seconds_count{api="pets:1.0"}"#), Some(3.0));
}

#[test]
fn refusals_are_counted_by_announced_reasons_only() {
    let telemetry = telemetry();
    assert_eq!(value(&telemetry, r#"tollgate_refusals_total{reason="jwt.expired"}"#), Some(0.0));
    telemetry.refused("jwt.expired");
    telemetry.refused("who.knows");
    assert_eq!(value(&telemetry, r#"tollgate_refusals_total{reason="jwt.expired"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_refusals_total{reason="other"}"#), Some(1.0));
    assert!(!scrape(&telemetry).contains("who.knows"));
}

#[test]
fn every_limit_of_the_configuration_has_its_counter_from_the_start() {
    let schema = serde_json::to_value(schemars::schema_for!(crate::config::Limits)).unwrap();
    let mut settings: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut counters = LimitCounters::NAMES.to_vec();
    settings.sort_unstable();
    counters.sort_unstable();
    assert_eq!(counters, settings);
    let telemetry = telemetry();
    telemetry.limits.header_time.inc();
    assert_eq!(value(&telemetry, r#"tollgate_limits_total{limit="header_time"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_limits_total{limit="body_pace"}"#), Some(0.0));
}

#[test]
fn only_what_runs_now_is_shown_as_running() {
    let telemetry = telemetry();
    let waived = |filter: &str, opened: usize| Waived { filter: filter.to_owned(), opened, named: String::new() };
    telemetry.running(1, "aaaa", "one", &[waived("throttle", 0), waived("mtls", 2)]);
    telemetry.running(2, "bbbb", "two", &[waived("cors", 0), waived("basic_auth", 3)]);
    telemetry.reload_failed();
    assert_eq!(value(&telemetry, r#"tollgate_artifact_info{digest="aaaa"}"#), None);
    assert_eq!(value(&telemetry, r#"tollgate_artifact_info{digest="bbbb"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_configuration_info{id="one"}"#), None);
    assert_eq!(value(&telemetry, r#"tollgate_configuration_info{id="two"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_waived_info{demand="throttle"}"#), None);
    assert_eq!(value(&telemetry, r#"tollgate_waived_info{demand="basic_auth"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_waived_open_operations{demand="basic_auth"}"#), Some(3.0));
    assert_eq!(value(&telemetry, r#"tollgate_waived_open_operations{demand="cors"}"#), Some(0.0));
    assert_eq!(value(&telemetry, r#"tollgate_waived_open_operations{demand="mtls"}"#), None);
    assert_eq!(value(&telemetry, "tollgate_config_generation"), Some(2.0));
    assert_eq!(value(&telemetry, r#"tollgate_reloads_total{result="ok"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_reloads_total{result="failed"}"#), Some(1.0));
}

#[test]
fn the_process_says_what_it_is_and_since_when() {
    let telemetry = telemetry();
    assert_eq!(value(&telemetry, &format!(r#"tollgate_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))), Some(1.0));
    let started = value(&telemetry, "tollgate_start_time_seconds").unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - started).abs() < 3600.0, "{started} {now}");
}

#[test]
fn a_panic_is_counted() {
    let telemetry = telemetry();
    telemetry.count_panics();
    // Other tests of this process may panic on purpose too, and are counted as well.
    std::thread::spawn(|| panic!("on purpose")).join().unwrap_err();
    assert!(value(&telemetry, "tollgate_panics_total").unwrap() >= 1.0);
}

#[test]
fn connections_and_upstream_failures_are_counted_by_what_the_configuration_names() {
    let telemetry = telemetry();
    telemetry.listener("0.0.0.0:9090").inc();
    telemetry.upstream_failures.connect.inc();
    assert_eq!(value(&telemetry, r#"tollgate_connections_total{listener="0.0.0.0:9090"}"#), Some(1.0));
    assert_eq!(value(&telemetry, r#"tollgate_upstream_failures_total{kind="connect"}"#), Some(1.0));
}

#[test]
fn the_filters_series_are_shown_under_the_gateways_prefix() {
    let metrics = Metrics::default();
    metrics.counter("jwt_verified_total", None).inc();
    metrics.gauge("jwt_keys", Some(("issuer", "https://a\"\\\n/"))).set(3);
    metrics.gauge("jwt_keys", Some(("issuer", "b"))).set(4);
    let text = telemetry().render(&metrics, [].iter());
    assert!(text.contains("# TYPE tollgate_jwt_verified_total counter\ntollgate_jwt_verified_total 1\n"), "{text}");
    assert!(text.contains(r#"tollgate_jwt_keys{issuer="https://a\"\\\n/"} 3"#), "{text}");
    assert_eq!(text.matches("# TYPE tollgate_jwt_keys gauge").count(), 1);
}

fn line() -> Line {
    Line {
        time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        request_id: RequestId::fresh(0xabc, false),
        configuration: Some("5e".repeat(16).into()),
        client: "2001:db8::1".parse().unwrap(),
        method: Method::POST,
        host: "api.example".into(),
        path: "/pets/1".into(),
        operation: Some(Arc::new(OperationInfo {
            api: "pets".into(),
            version: "1.0".into(),
            id: "addPet".into(),
            ..OperationInfo::default()
        })),
        status: 503,
        grpc_status: None,
        reason: Some(&gateway::FAULT),
        explanation: Some(Explanation {
            asked_by: Some("pets.yaml:7".into()),
            alternatives: vec![Failure {
                credentials: vec!["jwt", "mtls"],
                refused_by: "mtls",
                reason: "mtls.missing",
                code: 900_902,
                cause: Some("missing"),
                asked_by: Some("pets.yaml:7".into()),
                note: None,
            }],
        }),
        cause: Some(Arc::new(undecided("jwt.down: no keys"))),
        detail: None,
        bytes_in: 12,
        bytes_out: 34,
        duration: Duration::from_micros(2500),
        upstream_duration: Some(Duration::from_micros(2000)),
        upstream: Some("192.0.2.1:8080".parse().unwrap()),
        attempts: 2,
        protocol: "HTTP/2",
        tls: Some("TLSv1.3"),
        principal: Some(Principal::new(PrincipalParts {
            filter: "jwt",
            subject: Some("alice@example".into()),
            issuer: Some("https://issuer.example".into()),
            client: Some("app-1".into()),
            scopes: vec!["secret:scope".into()],
            key_type: KeyType::Production,
            claims: json!({ "email": "alice@example" }).as_object().unwrap().clone(),
            ..PrincipalParts::default()
        })),
        refused_client: None,
        claimed_client: None,
        certificate: Some([0xa5; 32]),

        untrusted_certificate: None,
    }
}

#[test]
fn a_line_says_what_happened() {
    let written: Value = serde_json::to_value(line()).unwrap();
    assert_eq!(
        written,
        json!({
            "ts": "2023-11-14T22:13:20.123Z", "request_id": "00000000000000000000000000000abc", "configuration": "5e".repeat(16), "client": "2001:db8::1",
            "method": "POST", "host": "api.example", "path": "/pets/1", "api": "pets", "version": "1.0", "operation": "addPet",
            "status": 503, "reason": "chain.fault", "code": 900_900, "cause": "unavailable",
            "detail": "decision is not available: jwt.down: no keys (what cannot be decided is refused)", "asked_by": "pets.yaml:7",
            "alternatives": [{
                "credentials": ["jwt", "mtls"], "refused_by": "mtls", "reason": "mtls.missing", "code": 900_902, "cause": "missing",
                "asked_by": "pets.yaml:7",
            }],
            "bytes_in": 12, "bytes_out": 34,
            "duration_ms": 2.5, "upstream_ms": 2.0, "gateway_ms": 0.5, "upstream": "192.0.2.1:8080", "attempts": 2,
            "protocol": "HTTP/2", "tls": "TLSv1.3", "filter": "jwt", "client_id": "app-1",
            "certificate_sha256": "a5".repeat(32),
        })
    );
}

#[test]
fn of_the_caller_a_line_shows_no_more_than_filter_client_and_certificate() {
    let text = serde_json::to_string(&line()).unwrap();
    for hidden in ["alice", "issuer.example", "secret:scope"] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare = Line {
        operation: None,
        reason: None,
        cause: None,
        explanation: None,
        detail: None,
        upstream_duration: None,
        upstream: None,
        tls: None,
        principal: Some(Principal::anonymous()),
        certificate: None,
        ..line()
    };
    let written: Value = serde_json::to_value(bare).unwrap();
    for absent in [
        "api",
        "version",
        "operation",
        "reason",
        "code",
        "cause",
        "asked_by",
        "alternatives",
        "detail",
        "upstream_ms",
        "upstream",
        "tls",
        "filter",
        "client_id",
        "claimed_client_id",
        "certificate_sha256",
        "untrusted_certificate_sha256",
    ] {
        assert!(written.get(absent).is_none(), "{absent}: {written}");
    }
    assert_eq!(written["gateway_ms"], written["duration_ms"]);
}

#[test]
fn whose_credential_was_refused_is_said_too() {
    let refused = Line { principal: None, refused_client: Some("app-2".into()), ..line() };
    let written: Value = serde_json::to_value(refused).unwrap();
    assert_eq!((written.get("filter"), &written["client_id"]), (None, &"app-2".into()));
}

#[test]
fn who_a_stranger_says_to_be_is_not_said_to_be_the_caller() {
    let (claimed_client, untrusted_certificate) = (Some("app-3".into()), Some([0x0b; 32]));
    let stranger = Line { principal: None, claimed_client, untrusted_certificate, certificate: None, ..line() };
    let written: Value = serde_json::to_value(stranger).unwrap();
    assert_eq!((written.get("client_id"), written.get("certificate_sha256")), (None, None));
    assert_eq!((&written["claimed_client_id"], &written["untrusted_certificate_sha256"]), (&"app-3".into(), &"0b".repeat(32).into()));
}

#[test]
fn timestamps_know_the_calendar() {
    let at = |seconds: u64| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
    assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
    assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
    assert_eq!(at(951_868_800), "2000-03-01T00:00:00.000Z");
    assert_eq!(at(1_735_689_599), "2024-12-31T23:59:59.000Z");
    assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
    assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
}

#[test]
fn each_status_of_an_upstream_is_counted_by_itself_and_goes_on_after_a_reload() {
    let telemetry = telemetry();
    let old = telemetry.operations(&plan(&[("pets", &["list", "get"])]));
    let ended = |operations: &Operations, index, answers: &[Option<u16>]| {
        answers.iter().for_each(|answer| operations.operation(index).statuses().ended(*answer));
    };
    ended(&old, 0, &[Some(200), Some(418), None, Some(200)]);
    ended(&old, 1, &[Some(500)]);
    let new = telemetry.operations(&plan(&[("ants", &["list"]), ("pets", &["list"])]));
    drop(old);
    ended(&new, 1, &[Some(418)]);
    let answers = BTreeMap::from([(200, 2), (418, 2)]);
    assert_eq!(new.operation(1).statuses().counted(), Counted { answers, other: 0, own: 1 });
    assert_eq!(new.operation(0).statuses().counted(), Counted::default());
    // No configuration had it in between.
    let again = telemetry.operations(&plan(&[("pets", &["get"])]));
    assert_eq!(again.operation(0).statuses().counted(), Counted::default());
}

#[test]
fn an_upstream_with_many_statuses_takes_no_more_room() {
    let statuses = Statuses::default();
    (100..1000).for_each(|status| statuses.ended(Some(status)));
    let counted = statuses.counted();
    assert_eq!(counted.answers.values().sum::<u64>() + counted.other, 900);
    assert_eq!(counted.answers.len(), 14);
}

#[test]
fn threads_that_see_a_status_first_at_the_same_time_count_it_once_each() {
    let statuses = Statuses::default();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let statuses = &statuses;
            scope.spawn(move || (0..1_000).for_each(|round| statuses.ended(Some(200 + (round + thread) % 10))));
        }
    });
    let expected: BTreeMap<u16, u64> = (200..210).map(|status| (status, 800)).collect();
    assert_eq!(statuses.counted().answers, expected);
}
