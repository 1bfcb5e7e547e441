//! What a refused client is told.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Response, Settings, Upstream,
    ports::free_port,
    project::{open_api, operation},
    token::Issuer,
};

struct World {
    gateway: Gateway,
    upstream: Upstream,
    _keys: Folder,
}

/// One API that demands a token, and one operation that is open.
fn world(errors: &str) -> World {
    let (upstream, keys) = (Upstream::start(), Folder::new());
    let issuer = Issuer::new("https://issuer.example");
    let key = issuer.write(&keys, "issuer.pem");
    let mut open = operation();
    open["x-wso2-disable-security"] = true.into();
    let dead = json!({ "urls": [format!("http://127.0.0.1:{}", free_port())], "type": "http" });
    let mut broken = open.clone();
    broken["x-wso2-production-endpoints"] = dead;
    let mut definition = open_api(
        "/pets/1",
        &upstream.url(),
        json!({ "/closed": { "get": operation() }, "/open": { "get": open.clone(), "put": open }, "/broken": { "get": broken } }),
    );
    definition["x-wso2-disable-security"] = false.into();
    let config = json!({ "errors": errors, "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }] });
    World { gateway: Gateway::serving(&definition, Settings::of(config)), upstream, _keys: keys }
}

fn problem(answer: &Response) -> Value {
    assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["status"], answer.status());
    assert_eq!(body["request_id"].as_str(), answer.field("x-request-id"));
    assert!(body["title"].is_string() && body["type"].is_string());
    body
}

#[test]
fn a_problem_document_names_reason_status_and_request() {
    let World { gateway, upstream, .. } = world("problem");
    for (method, path, status, reason) in [
        ("GET", "/none", 404, "route.not_found"),
        ("GET", "/pets/1/none", 404, "route.no_resource"),
        ("POST", "/pets/1/open", 405, "route.method"),
        ("GET", "/pets/1/closed", 401, "jwt.missing"),
        ("GET", "/pets/1/broken", 502, "upstream.connect"),
        ("GET", "/pets/1/../../../x", 400, "path.climbs"),
    ] {
        let answer = gateway.send(method, path, &[], b"");
        assert_eq!(answer.status(), status, "{path}: {}", answer.text());
        assert_eq!(problem(&answer)["reason"], reason);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    assert_eq!(upstream.count(), 0);
    let log = gateway.log_of(6);
    assert!(log.iter().any(|line| line["path"] == "/pets/1/closed" && line["reason"] == "jwt.missing"), "{log:?}");
}

#[test]
fn a_405_lists_the_methods_of_the_path() {
    let World { gateway, .. } = world("problem");
    let allow = gateway.send("POST", "/pets/1/open", &[], b"");
    assert_eq!(allow.field("allow"), Some("GET, OPTIONS, PUT"));
}

#[test]
fn a_401_says_which_credential_is_asked_for() {
    let World { gateway, .. } = world("problem");
    let missing = gateway.get("/pets/1/closed");
    let challenge = missing.field("www-authenticate").unwrap().to_owned();
    assert!(challenge.starts_with("Bearer") && !challenge.contains("error="), "{challenge}");
    let bad = gateway.send("GET", "/pets/1/closed", &["Authorization: Bearer a.b.c"], b"");
    assert_eq!(bad.status(), 401);
    assert!(bad.field("www-authenticate").unwrap().contains("error=\"invalid_token\""), "{bad:?}");
}

#[test]
fn the_reference_products_bodies_are_given_byte_for_byte() {
    let World { gateway, .. } = world("wso2");
    for (method, path, status, content_type, body) in [
        ("GET", "/none", 404, "text/plain", "no matching service found for path : /none"),
        ("GET", "/pets/1/none", 404, "text/plain", "no matching resource found for path : /pets/1/none , method : GET"),
        ("POST", "/pets/1/open", 405, "text/plain", "method not allowed"),
        (
            "GET",
            "/pets/1/closed",
            401,
            "application/json",
            r#"{"fault":{"code":900902, "message":"Missing Credentials", "description":"Missing Credentials. Make sure your API invocation call has a header: \"Authorization\""}}"#,
        ),
        (
            "GET",
            "/pets/1/broken",
            500,
            "application/json",
            r#"{"fault":{"code":101503, "message":"Runtime Error", "description":"Error connecting to the back end"}}"#,
        ),
    ] {
        let answer = gateway.send(method, path, &[], b"");
        assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{path}");
        assert_eq!(answer.field("content-type"), Some(content_type), "{path}");
    }
    let bad = gateway.send("GET", "/pets/1/closed", &["Authorization: Bearer a.b.c"], b"");
    let expected = r#"{"fault":{"code":900901, "message":"Invalid Credentials", "description":"Invalid Credentials. Make sure you have given the correct access token"}}"#;
    assert_eq!((bad.status(), bad.text().as_str()), (401, expected));
}

#[test]
fn an_undeclared_options_lists_the_methods_without_a_token() {
    let World { gateway, upstream, .. } = world("problem");
    let answer = gateway.send("OPTIONS", "/pets/1/open", &[], b"");
    assert!(matches!(answer.status(), 200 | 204), "{answer:?}");
    assert_eq!(answer.field("allow"), Some("GET, OPTIONS, PUT"));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn nothing_a_client_sent_comes_back_in_a_problem_document() {
    let World { gateway, .. } = world("problem");
    let answer =
        gateway.send("GET", "/pets/1/needle-in-path?needle-in-query", &["X-A: needle-in-field", "Authorization: Bearer needle"], b"");
    assert!(!answer.text().contains("needle"), "{}", answer.text());
}

#[test]
fn a_fault_that_every_request_meets_is_told_to_the_process_log_once() {
    let upstream = Upstream::start();
    let keys = json!({ "jwks": format!("http://127.0.0.1:{}/keys", tollgate_tests::ports::free_port()) });
    let issuer = Issuer::new("https://issuer.example");
    let jwt = json!({ "jwt": { "issuers": [{ "issuer": issuer.name, "audiences": ["tests"], "keys": keys }] } });
    let mut definition = tollgate_tests::project::open_api("/a", &upstream.url(), tollgate_tests::project::everything());
    definition["x-wso2-disable-security"] = false.into();
    // Without its issuer's keys it is never ready.
    let gateway = Gateway::serving_unready(&definition, Settings::of(json!({ "chain": [jwt] })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    for _ in 0..20 {
        assert_eq!(gateway.send("GET", "/a/x", &[&token], b"").status(), 503);
    }
    let detailed =
        gateway.log_of(20).iter().filter(|line| line["detail"].as_str().is_some_and(|text| text.contains("keys_unavailable"))).count();
    let told = gateway.stderr().matches("jwt.keys_unavailable").count();
    assert_eq!((detailed, told, upstream.count()), (20, 1, 0), "{}", gateway.stderr());
}
