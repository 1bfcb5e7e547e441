//! An external service decides: over HTTP, and over gRPC with a server of its own kind.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Message, Reply, Response, Settings, Upstream,
    certificates::Authority,
    parts::GrpcServer,
    project::{everything, open_api},
    until,
};

/// A gateway whose chain is this question.
fn asking(upstream: &Upstream, settings: Value) -> Gateway {
    let definition = open_api("/v1", &upstream.url(), everything());
    Gateway::serving(&definition, Settings { h2c: true, ..Settings::of(json!({ "chain": [{ "ext_authz": settings }] })) })
}

fn over_grpc(url: &str) -> Value {
    json!({
        "grpc": { "url": url, "timeout": "1s" },
        "headers": {
            "upstream": ["x-user", "x-told"],
            "remove": ["x-debug"],
            "client": ["www-authenticate"],
            "client_on_success": ["x-quota"],
        },
        "context": { "tenant": "blue" },
        "body": "4KiB",
    })
}

fn wish(gateway: &Gateway, wish: &str) -> Response {
    gateway.send("GET", "/v1/tea", &[&format!("Authorization: {wish}")], b"")
}

#[test]
fn over_http_200_lets_a_request_pass_and_any_other_status_is_the_answer() {
    let service = Upstream::answering(|question: &Message| match question.field("authorization") {
        Some("allow") => Reply::with(200, &["X-User: ada", "X-Quota: 7", "X-Other: 1"], ""),
        Some("deny") => Reply::with(418, &["Content-Type: text/plain", "WWW-Authenticate: Basic"], "no tea for you"),
        _ => Reply::with(500, &[], ""),
    });
    let upstream = Upstream::start();
    let settings = json!({
        "http": { "url": service.url(), "path_prefix": "/check" },
        "headers": { "upstream": ["x-user"], "client": ["www-authenticate"], "client_on_success": ["x-quota"] },
    });
    let gateway = asking(&upstream, settings);
    let passed = gateway.send("PUT", "/v1/tea?a=1", &["Authorization: allow", "X-User: root"], b"leaf");
    assert_eq!((passed.status(), passed.field("x-quota"), passed.field("x-other")), (200, Some("7"), None));
    let seen = upstream.only();
    assert_eq!((seen.field("x-user"), seen.text().as_str()), (Some("ada"), "leaf"));
    let question = service.only();
    assert_eq!((question.method(), question.target(), question.text().as_str()), ("PUT", "/check/v1/tea?a=1", ""));
    assert_eq!((question.field("x-forwarded-for"), question.field("x-forwarded-proto")), (Some("127.0.0.1"), Some("http")));
    let refused = wish(&gateway, "deny");
    assert_eq!((refused.status(), refused.field("www-authenticate"), refused.text().as_str()), (418, Some("Basic"), "no tea for you"));
    let broken = wish(&gateway, "break");
    assert_eq!((broken.status(), upstream.count()), (503, 1), "{}", broken.text());
}

#[test]
fn over_grpc_a_service_allows_refuses_and_is_told_what_was_asked() {
    let (service, upstream) = (GrpcServer::start(), Upstream::start());
    let gateway = asking(&upstream, over_grpc(&service.url()));
    let fields = ["Authorization: allow", "X-User: root", "X-Debug: 1", "Cookie: a=1", "Cookie: b=2"];
    let passed = gateway.send("POST", "/v1/tea?secret=1&a=2", &fields, b"leaf");
    assert_eq!((passed.status(), passed.field("x-quota")), (200, Some("7")), "{}", passed.text());
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.text().as_str()), ("/tea?a=2&by=a%26b", "leaf"));
    assert_eq!((seen.field("x-user"), seen.field("x-debug"), seen.field("x-unlisted")), (Some("ada"), None, None));
    assert!(seen.field("host").is_some_and(|host| host.starts_with("127.0.0.1")));
    let told: Value = serde_json::from_str(seen.field("x-told").unwrap()).unwrap();
    assert_eq!(
        (&told["method"], &told["path"], &told["body"], &told["address"], &told["context"]),
        (&json!("POST"), &json!("/v1/tea?secret=1&a=2"), &json!("leaf"), &json!("127.0.0.1"), &json!({ "tenant": "blue" }))
    );
    assert_eq!(told["host"], "localhost");
    assert_eq!(told["id"], gateway.log_of(1)[0]["request_id"]);
    assert!(told["names"].as_array().unwrap().contains(&json!("cookie")), "{told}");
    let refused = wish(&gateway, "deny");
    assert_eq!((refused.status(), refused.field("www-authenticate"), refused.field("x-unlisted")), (418, Some("Basic"), None));
    assert_eq!(refused.text(), "no tea for you");
    assert_eq!(wish(&gateway, "unknown").status(), 403, "a refusal without words of its own");
    assert_eq!(upstream.count(), 1);
}

#[test]
fn what_is_no_decision_lets_nobody_in_unless_that_is_set() {
    let (service, upstream) = (GrpcServer::start(), Upstream::start());
    let gateway = asking(&upstream, over_grpc(&service.url()));
    for kind in ["garbage", "both", "abort"] {
        let answer = wish(&gateway, kind);
        assert_eq!(answer.status(), 503, "{kind}: {}", answer.text());
        assert!(answer.field("retry-after").is_some());
    }
    assert!(gateway.stderr().contains("ext_authz.unavailable"), "{}", gateway.stderr());
    let began = Instant::now();
    assert_eq!(wish(&gateway, "wait").status(), 503);
    assert!(began.elapsed() >= Duration::from_millis(900) && began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!((wish(&gateway, "allow").status(), upstream.count()), (200, 1), "one silence does not end the connection");

    let mut open = over_grpc(&service.url());
    open["failure"] = "allow".into();
    let gateway = asking(&upstream, open);
    assert_eq!((wish(&gateway, "garbage").status(), wish(&gateway, "deny").status()), (200, 418));
    assert_eq!(gateway.metric("tollgate_ext_authz_failure_allowed_total"), Some(1.0));
}

#[test]
fn many_ask_at_the_same_time_and_a_service_that_dies_and_comes_back_is_asked_again() {
    let (mut service, upstream) = (GrpcServer::start(), Upstream::start());
    let gateway = asking(&upstream, over_grpc(&service.url()));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(wish(&gateway, "allow").status(), 200)));
        }
    });
    assert_eq!(upstream.count(), 320);
    service.kill();
    let answer = wish(&gateway, "allow");
    assert_eq!((answer.status(), upstream.count()), (503, 320), "{}", answer.text());
    let service = GrpcServer::start_at(service.plain);
    until("the service to be asked again", || (wish(&gateway, "allow").status() == 200).then_some(()));
    drop(service);
}

#[test]
fn over_tls_the_service_has_to_be_the_one_that_was_meant() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let authority = Authority::new("root");
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("authz", 2, &["localhost"]).write(&folder, "authz");
    let service = GrpcServer::with_tls(&certificate, &key);
    let mut settings = over_grpc(&format!("https://localhost:{}", service.tls));
    settings["grpc"]["ca"] = json!(ca);
    assert_eq!(wish(&asking(&upstream, settings.clone()), "allow").status(), 200);
    settings["grpc"].as_object_mut().unwrap().remove("ca");
    let answer = wish(&asking(&upstream, settings), "allow");
    assert_eq!((answer.status(), upstream.count()), (503, 1), "{}", answer.text());
}
