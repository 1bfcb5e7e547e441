//! gRPC through the gateway: a real client, a real server.

use std::{
    net::TcpListener,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Reply, Settings, Upstream,
    certificates::Authority,
    command::binary,
    h2::{DATA, END_STREAM, H2, Outcome},
    h2_upstream::H2Upstream,
    parts::{GrpcServer, grpc, process::Process},
    project::{open_api, operation},
    token::Issuer,
    until,
};

/// An API as the definition of a gRPC service makes one: a POST for each method, below the service's full name.
fn service(endpoint: &str) -> Value {
    let methods = ["Unary", "Wait", "Count", "Total", "Chat"];
    let paths: serde_json::Map<_, _> = methods.iter().map(|name| (format!("/{name}"), json!({ "post": operation() }))).collect();
    open_api("/demo.Echo", endpoint, paths.into())
}

fn settings(mut config: Value) -> Settings {
    config["upstream"]["http"] = "2".into();
    Settings { h2c: true, config, tls: None }
}

fn unary(message: &str) -> Value {
    call("Unary", "unary", json!([message]), json!({}))
}

/// A call of a method, with what else `client.py` takes.
fn call(method: &str, kind: &str, messages: Value, more: Value) -> Value {
    let mut call = json!({ "method": format!("/demo.Echo/{method}"), "kind": kind, "messages": messages });
    for (name, value) in more.as_object().unwrap() {
        call[name] = value.clone();
    }
    call
}

/// A server and an open gateway before it.
fn world(config: Value) -> (GrpcServer, Gateway) {
    let server = GrpcServer::start();
    let gateway = Gateway::serving(&service(&format!("{}/demo.Echo", server.url())), settings(config));
    (server, gateway)
}

fn make(gateway: &Gateway, calls: &[Value]) -> Vec<Value> {
    grpc::call(gateway.ports.h2c, &json!({}), calls)
}

/// The value of a field in metadata that a client got.
fn field<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    metadata.as_array().unwrap().iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}

#[test]
fn a_call_goes_through_over_cleartext_and_tls_and_without_a_token_it_is_unauthenticated() {
    let (server, folder, authority, keys) = (GrpcServer::start(), Folder::new(), Authority::new("root"), Folder::new());
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let issuer = Issuer::new("https://issuer.example");
    let issuers = json!([issuer.config(&issuer.write(&keys, "issuer.pem"))]);
    let mut definition = service(&format!("{}/demo.Echo", server.url()));
    definition["x-wso2-disable-security"] = false.into();
    let settings = Settings {
        tls: Some(json!({ "certificate": certificate, "key": key })),
        ..settings(json!({ "chain": [{ "jwt": { "issuers": issuers } }, "authorize"] }))
    };
    let gateway = Gateway::serving(&definition, settings);
    let bearer = format!("Bearer {}", issuer.token(json!({})));
    for (port, client) in [(gateway.ports.h2c, json!({})), (gateway.ports.tls, json!({ "ca": ca }))] {
        let mut with_token = unary("hello");
        with_token["metadata"] = json!([["authorization", bearer]]);
        let answers = grpc::call(port, &client, &[with_token, unary("hello")]);
        assert_eq!((&answers[0]["status"], &answers[0]["messages"]), (&json!(0), &json!(["hello"])), "{answers:?}");
        assert_eq!(answers[1]["status"], 16, "{answers:?}");
        assert!(answers[1]["details"].as_str().unwrap().contains("jwt.missing"), "{answers:?}");
    }
    let log = gateway.log_of(4);
    let refused: Vec<_> = log.iter().filter(|line| line["reason"] == "jwt.missing").collect();
    assert_eq!(refused.len(), 2, "{log:?}");
    assert!(refused.iter().all(|line| (&line["status"], &line["grpc_status"]) == (&json!(401), &json!(16))), "{log:?}");
}

#[test]
fn all_four_kinds_of_calls_carry_their_messages_and_metadata_both_ways() {
    const MIB: usize = 1 << 20;
    let (server, gateway) = world(json!({ "limits": { "body_bytes": "64MiB" } }));
    let metadata = json!([["plain", "words"], ["raw-bin", "00ff80"]]);
    let answers = make(
        &gateway,
        &[
            call("Unary", "unary", json!([4 * MIB]), json!({ "metadata": metadata })),
            call("Count", "server", json!([format!("3 {}", 4 * MIB)]), json!({})),
            call("Total", "client", json!([4 * MIB, 1, 4 * MIB]), json!({})),
            call("Chat", "bidi", json!(["one", 4 * MIB, "three"]), json!({})),
        ],
    );
    let messages: Vec<_> = answers.iter().map(|answer| (answer["status"].clone(), answer["messages"].clone())).collect();
    let total = format!("3 {}", 8 * MIB + 1);
    let expected = [json!([4 * MIB]), json!([4 * MIB, 4 * MIB, 4 * MIB]), json!([total]), json!(["one", 4 * MIB, "three"])];
    assert_eq!(messages, expected.map(|messages| (json!(0), messages)));
    let (initial, trailing) = (&answers[0]["initial"], &answers[0]["trailing"]);
    assert_eq!((field(initial, "served-by"), field(initial, "initial-bin")), (Some("python"), Some("00ff")), "{initial}");
    assert_eq!((field(trailing, "served"), field(trailing, "trailing-bin")), (Some("1"), Some("01fe")), "{trailing}");
    let seen = &server.notes()["seen"]["Unary"]["metadata"];
    assert_eq!((&seen["plain"], &seen["raw-bin"]), (&json!("words"), &json!("00ff80")), "{seen}");
    assert!(
        gateway.log_of(4).iter().all(|line| (&line["status"], &line["grpc_status"]) == (&json!(200), &json!(0))),
        "{:?}",
        gateway.log()
    );
}

#[test]
fn the_status_of_an_upstream_reaches_client_and_log_as_it_is() {
    let (_server, gateway) = world(json!({}));
    let answers = make(&gateway, &[call("Unary", "unary", json!(["x"]), json!({ "metadata": [["fail-with", "9"]] }))]);
    assert_eq!((&answers[0]["status"], &answers[0]["details"]), (&json!(9), &json!("as it was told: 50 % of ü")), "{answers:?}");
    let line = &gateway.log_of(1)[0];
    assert_eq!((&line["status"], &line["grpc_status"], &line["reason"]), (&json!(200), &json!(9), &Value::Null), "{line}");
}

#[test]
fn a_stream_that_either_side_ends_early_has_the_status_of_whoever_ended_it() {
    let (_server, gateway) = world(json!({ "limits": { "body_bytes": "1MiB" } }));
    let early = call("Total", "client", json!([100_000, 100_000, 1]), json!({ "pause": 0.2, "metadata": [["fail-with", "9"]] }));
    let too_long = call("Chat", "bidi", json!(["one", 2 << 20]), json!({ "pause": 0.2 }));
    let answers = make(&gateway, &[early, too_long]);
    assert_eq!(answers[0]["status"], 9, "{answers:?}");
    assert_eq!((&answers[1]["status"], &answers[1]["messages"]), (&json!(8), &json!(["one"])), "{answers:?}");
    assert!(answers[1]["details"].as_str().unwrap().contains("limit.body_bytes"), "{answers:?}");
}

#[test]
fn messages_that_a_client_compresses_pass_as_they_are() {
    let (_server, gateway) = world(json!({}));
    let text = "again and again ".repeat(1000);
    let chat = call("Chat", "bidi", json!([100_000, 100_000]), json!({}));
    let answers = grpc::call(gateway.ports.h2c, &json!({ "compress": true }), &[unary(&text), chat]);
    assert_eq!((&answers[0]["status"], &answers[0]["messages"][0]), (&json!(0), &json!(text.len())), "{answers:?}");
    assert_eq!(answers[1]["messages"], json!([100_000, 100_000]));
    assert!(gateway.log_of(2).iter().all(|line| line["bytes_in"].as_u64().unwrap() < 2000), "{:?}", gateway.log());
}

#[test]
fn what_filters_refuse_has_its_code_and_keeps_its_fields_in_both_forms_of_errors() {
    for (errors, quota, unknown) in [
        ("problem", "Too many requests", "The API has no such resource (route.no_resource)"),
        ("wso2", "Message throttled out", "no matching resource found for path : /demo.Echo/Nothing , method : POST"),
    ] {
        let server = GrpcServer::start();
        let throttle =
            json!({ "policies": { "one": { "requests": 1, "per": "1h" } }, "limits": [{ "policy": "one", "key": ["operation"] }] });
        let mut gateway = settings(json!({ "errors": errors, "chain": [{ "throttle": throttle }] }));
        gateway.config["limits"] = json!({ "body_bytes": "1MiB" });
        let gateway = Gateway::serving(&service(&format!("{}/demo.Echo", server.url())), gateway);
        let first = &make(&gateway, &[unary("1")])[0];
        assert_eq!(first["status"], 0, "{first}");
        let answers = make(
            &gateway,
            &[unary("2"), call("Nothing", "unary", json!(["x"]), json!({})), call("Total", "client", json!([2 << 20]), json!({}))],
        );
        let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].clone()).collect();
        assert_eq!(statuses, [8, 12, 8], "{errors}: {answers:?}");
        assert!(answers[0]["details"].as_str().unwrap().contains(quota), "{answers:?}");
        assert_eq!(answers[1]["details"], unknown);
        let fields = &answers[0]["trailing"];
        assert!(field(fields, "retry-after").is_some() && field(fields, "x-request-id").is_some(), "{fields}");
        let mut log: Vec<_> = gateway.log_of(4)[1..].iter().map(|line| (line["status"].as_u64(), line["grpc_status"].as_u64())).collect();
        log.sort_unstable();
        assert_eq!(log, [(Some(404), Some(12)), (Some(413), Some(8)), (Some(429), Some(8))], "{errors}");
    }
}

#[test]
fn a_deadline_ends_the_call_here_and_upstream_which_knows_what_is_left_of_it() {
    let (server, gateway) = world(json!({}));
    let begun = Instant::now();
    let late = call("Wait", "unary", json!(["x"]), json!({ "timeout": 1.0, "metadata": [["call", "late"]] }));
    let answer = make(&gateway, &[late]).remove(0);
    assert_eq!(answer["status"], 4, "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    server.ended("late", "cancelled");
    let left = server.notes()["seen"]["Wait"]["left"].as_f64().unwrap();
    assert!(left > 0.0 && left <= 1.0, "{left}");
    let answer = make(&gateway, &[call("Unary", "unary", json!(["x"]), json!({ "timeout": 3600.0 }))]).remove(0);
    assert_eq!(answer["status"], 0, "{answer}");
    let left = server.notes()["seen"]["Unary"]["left"].as_f64().unwrap();
    assert!(left > 3500.0 && left <= 3600.0, "{left}");
}

/// Calls without a client that looks at the clock itself: a timeout each, the last messages of whose requests are sent.
fn without_a_clock(gateway: &Gateway, timeouts: &[&str]) -> Vec<Outcome> {
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    let streams = || (1..).step_by(2);
    for (stream, timeout) in streams().zip(timeouts) {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/demo.Echo/Wait"),
            ("content-type", "application/grpc+proto"),
            ("te", "trailers"),
            ("grpc-timeout", timeout),
        ];
        client.headers(stream, &fields, false).unwrap();
        client.send(DATA, END_STREAM, stream, &[0; 5]).unwrap();
    }
    streams().zip(timeouts).map(|(stream, _)| client.outcome(stream)).collect()
}

#[test]
fn a_deadline_holds_against_upstreams_that_are_silent_or_never_end_and_one_that_cannot_be_read_is_refused() {
    let (silent, dripping) = (TcpListener::bind("127.0.0.1:0").unwrap(), H2Upstream::dripping(Duration::from_millis(20)));
    for (port, status) in [(silent.local_addr().unwrap().port(), 504), (dripping.port, 200)] {
        let gateway = Gateway::serving(&service(&format!("http://127.0.0.1:{port}")), settings(json!({})));
        let begun = Instant::now();
        assert_eq!(without_a_clock(&gateway, &["700m"]), [Outcome::Answered(200)]);
        assert!(begun.elapsed() >= Duration::from_millis(700));
        let line = &gateway.log_of(1)[0];
        assert_eq!(
            (&line["reason"], &line["status"], &line["grpc_status"]),
            (&json!("grpc.deadline"), &json!(status), &json!(4)),
            "{line}"
        );
        let taken = line["duration_ms"].as_f64().unwrap();
        assert!(taken < 5000.0, "{taken} ms");
    }
    let config = json!({ "upstream": { "request_timeout": "1s" } });
    let gateway = Gateway::serving(&service(&format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port())), settings(config));
    assert_eq!(without_a_clock(&gateway, &["100S", "soon", "0n"]), [Outcome::Answered(200); 3]);
    let mut log: Vec<_> =
        gateway.log_of(3).iter().map(|line| (line["reason"].to_string(), line["grpc_status"].as_u64().unwrap())).collect();
    log.sort_unstable();
    let expected = [("grpc.deadline", 4), ("grpc.timeout", 13), ("upstream.request_timeout", 4)];
    assert_eq!(log, expected.map(|(reason, code)| (format!("\"{reason}\""), code)));
}

#[test]
fn an_upstream_with_tls_is_spoken_to_in_http2_and_must_show_its_certificate() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("up", 2, &["localhost"]).write(&folder, "up");
    let server = GrpcServer::with_tls(&certificate, &key);
    let definition = service(&format!("https://localhost:{}/demo.Echo", server.tls));
    for (upstream, status) in [(json!({ "ca": ca }), 0), (json!({}), 14)] {
        let settings = Settings { h2c: true, config: json!({ "upstream": upstream }), tls: None };
        let gateway = Gateway::serving(&definition, settings);
        let answers = make(&gateway, &[unary("x"), call("Chat", "bidi", json!(["one", "two"]), json!({}))]);
        assert_eq!([&answers[0]["status"], &answers[1]["status"]], [status, status], "{answers:?}");
    }
}

#[test]
fn an_answer_of_an_upstream_that_is_no_grpc_passes_for_the_client_to_map() {
    let upstream = Upstream::answering(|_| Reply::with(503, &["Content-Type: text/html"], "<p>down</p>"));
    let mut settings = settings(json!({}));
    settings.config["upstream"]["http"] = "1".into();
    let gateway = Gateway::serving(&service(&upstream.url()), settings);
    let answer = make(&gateway, &[unary("x")]).remove(0);
    assert_eq!(answer["status"], 14, "{answer}");
    let line = &gateway.log_of(1)[0];
    assert_eq!((&line["status"], &line["grpc_status"], &line["reason"]), (&json!(503), &Value::Null, &Value::Null), "{line}");
}

#[test]
fn a_client_that_leaves_takes_its_call_with_it() {
    let (server, gateway) = world(json!({}));
    let count = json!({ "cancel_after": 2, "metadata": [["call", "count"], ["then-wait", "1"]] });
    let chat = json!({ "cancel_after": 1, "hold": 60, "metadata": [["call", "chat"], ["then-wait", "1"]] });
    let answers = make(&gateway, &[call("Count", "server", json!(["2 10"]), count), call("Chat", "bidi", json!(["x"]), chat)]);
    assert_eq!([&answers[0]["status"], &answers[1]["status"]], [&json!(1), &json!(1)], "{answers:?}");
    server.ended("count", "cancelled");
    server.ended("chat", "cancelled");
}

#[test]
fn a_stream_may_be_idle_for_longer_than_a_body_or_a_connection() {
    let config = json!({ "limits": { "idle_time": "1s", "body_pace": "1MiB", "header_time": "1s" } });
    let (_server, gateway) = world(config);
    // The pace of a body is looked at when ten seconds have gone.
    let chat = call("Chat", "bidi", json!(["one", "two", "three"]), json!({ "pause": 6, "hold": 2 }));
    let answer = make(&gateway, &[chat]).remove(0);
    assert_eq!((&answer["status"], &answer["messages"]), (&json!(0), &json!(["one", "two", "three"])), "{answer}");
}

#[test]
fn an_upstream_that_breaks_off_in_the_middle_leaves_the_messages_and_an_unavailable() {
    let (mut server, gateway) = world(json!({}));
    let port = gateway.ports.h2c;
    let client = thread::spawn(move || {
        grpc::one(port, &call("Count", "server", json!(["2 10"]), json!({ "metadata": [["call", "cut"], ["then-wait", "1"]] })))
    });
    server.ended("cut", "waits");
    server.kill();
    let answer = client.join().unwrap();
    assert_eq!((&answer["status"], &answer["messages"]), (&json!(14), &json!([10, 10])), "{answer}");
    assert!(answer["details"].as_str().unwrap().contains("upstream.broken"), "{answer}");
    let line = &gateway.log_of(1)[0];
    assert_eq!((&line["status"], &line["grpc_status"], &line["reason"]), (&json!(200), &json!(14), &json!("upstream.broken")), "{line}");
    let gone = make(&gateway, &[unary("x")]).remove(0);
    assert_eq!(gone["status"], 14, "{gone}");
    assert!(gone["details"].as_str().unwrap().contains("upstream.connect"), "{gone}");
}

#[test]
fn five_thousand_streams_are_open_at_the_same_time() {
    const STREAMS: usize = 5000;
    let (server, gateway) = world(json!({ "limits": { "requests_per_connection": 100_000 } }));
    let port = gateway.ports.h2c;
    let chats = call("Chat", "bidi", json!(["one", "two"]), json!({ "times": STREAMS, "gather": STREAMS }));
    let answers = grpc::call(port, &json!({ "channels": 60 }), &[chats]);
    assert_eq!(answers.len(), STREAMS);
    let odd: Vec<_> = answers.iter().filter(|answer| answer["status"] != 0 || answer["messages"] != json!(["one", "two"])).collect();
    assert!(odd.is_empty(), "{} of them, the first {:?}", odd.len(), odd.first());
    assert_eq!(server.notes()["most"], STREAMS, "streams that were open at the same time");
    assert!(gateway.log_of(STREAMS).iter().all(|line| line["grpc_status"] == 0));
}

const SERVICES: &str = r#"
syntax = "proto3";
package demo;
import "wso2_options.proto";
message Message {}

service Echo {
  option (wso2.production_endpoints) = { url: "ENDPOINT" };
  option (wso2.security) = NONE;
  option (wso2.throttling_tier) = "Three";
  rpc Unary(Message) returns (Message) { option (wso2.method_throttling_tier) = "One"; }
  rpc Count(Message) returns (stream Message);
  rpc Chat(stream Message) returns (stream Message);
}

service Other {
  option (wso2.production_endpoints) = { url: "ENDPOINT" };
  option (wso2.security) = JWT;
  rpc Unary(Message) returns (Message) { option (wso2.method_scopes) = "write"; }
}
"#;

const POLICIES: &str = "resourcePolicies:
- One: {count: 1, unitTime: 1, timeUnit: hour}
- Three: {count: 3, unitTime: 1, timeUnit: hour}
";

#[test]
fn a_proto_file_is_served_with_its_endpoints_security_scopes_and_tiers() {
    let (server, keys) = (GrpcServer::start(), Folder::new());
    let project = Project::new()
        .file("grpc_definitions/demo/demo.proto", SERVICES.replace("ENDPOINT", &server.url()))
        .file("policies.yaml", POLICIES);
    let issuer = Issuer::new("https://issuer.example");
    let issuers = json!([issuer.config(&issuer.write(&keys, "issuer.pem"))]);
    let config = json!({ "chain": [{ "jwt": { "issuers": issuers } }, "throttle", "authorize"] });
    let gateway = Gateway::start(&project.build(&[]), Settings { h2c: true, config, tls: None });
    let other = |scope: &str| {
        let bearer = format!("Bearer {}", issuer.token(json!({ "scope": scope })));
        json!({ "method": "/demo.Other/Unary", "kind": "unary", "messages": ["x"], "metadata": [["authorization", bearer]] })
    };
    let statuses = |calls: &[Value]| -> Vec<Value> {
        let each = calls.iter().map(|call| make(&gateway, std::slice::from_ref(call)).remove(0)["status"].clone());
        each.collect()
    };
    let (count, chat) = (call("Count", "server", json!(["1 1"]), json!({})), call("Chat", "bidi", json!(["x"]), json!({})));
    let unknown = call("Total", "client", json!(["x"]), json!({}));
    // The method's tier lets one pass, the service's three of all other methods together.
    let calls = [unary("1"), unary("2"), count.clone(), chat.clone(), count, chat, unknown];
    assert_eq!(statuses(&calls), [0, 8, 0, 0, 0, 8, 12]);
    let anonymous = json!({ "method": "/demo.Other/Unary", "kind": "unary", "messages": ["x"] });
    assert_eq!(statuses(&[anonymous, other("read"), other("read write")]), [16, 7, 0]);
    let log = gateway.log_of(10);
    let last = &log[9];
    let named = (&last["api"], &last["version"], &last["operation"], &last["path"]);
    assert_eq!(named, (&json!("demo.Other"), &json!("1.0.0"), &json!("Unary"), &json!("/demo.Other/Unary")));
    assert_eq!(log.iter().map(|line| line["grpc_status"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 8, 0, 0, 0, 8, 12, 16, 7, 0]);
}

#[test]
fn an_environment_replaces_the_endpoint_of_a_service_and_its_version_of_http() {
    let server = GrpcServer::start();
    let services = SERVICES.replace("ENDPOINT", "http://127.0.0.1:1");
    let project = Project::new().file("grpc_definitions/demo/demo.proto", services).file("policies.yaml", POLICIES);
    let artifact = project.build(&[]);
    let config = |http: Value| {
        let endpoint = json!({ "production": [server.url()], "http": http });
        json!({ "chain": ["throttle"], "waive_to_open": ["jwt"], "endpoints": { "demo.Echo:1.0.0": endpoint } })
    };
    for (http, status) in [(Value::Null, 0), (json!("1"), 14)] {
        let gateway = Gateway::start(&artifact, Settings { h2c: true, config: config(http), tls: None });
        assert_eq!(make(&gateway, &[unary("x")])[0]["status"], status);
    }
}

#[test]
fn dev_serves_services_on_an_address_of_their_own_and_swaps_them_on_save() {
    let (server, log) = (GrpcServer::start(), Folder::new());
    let services = SERVICES.replace("ENDPOINT", &server.url()).replace("option (wso2.throttling_tier) = \"Three\";", "");
    let services = services.replace("{ option (wso2.method_throttling_tier) = \"One\"; }", ";");
    let project = Project::new().file("grpc_definitions/demo/demo.proto", &services);
    let arguments =
        ["--format".into(), "json".into(), "dev".into(), project.path().into_os_string(), "--listen".into(), "127.0.0.1:0".into()];
    let process = Process::start(Command::new(binary()).args(arguments), log.join("log"));
    let addresses: Value = until("dev to say where it is", || {
        let said = process.said();
        let (json, _) = said.split_once("\n}")?;
        serde_json::from_str(&format!("{json}}}")).ok()
    });
    let port: u16 = addresses["grpc"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    until("dev to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert_eq!(grpc::one(port, &unary("x"))["status"], 0);
    let write = |text: &str| std::fs::write(project.path().join("grpc_definitions/demo/demo.proto"), text).unwrap();
    write(&services.replace("rpc Unary", "rpc Renamed").replace("service Echo", "service Broken {\nservice Echo"));
    assert_eq!(grpc::one(port, &unary("x"))["status"], 0);
    write(&services.replace("rpc Unary", "rpc Renamed"));
    until("the saved services to be served", || (grpc::one(port, &unary("x"))["status"] == 12).then_some(()));
}
