//! Requests and answers that are changed on the way: what the upstream sees of the one, and the client of the other.

use std::process::Command;

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Message, Reply, Settings, Upstream, project::open_api};

const ANSWER: &str = r#"{"id":7.10,"owner":{"name":"Ada","secret":1}}"#;

fn upstream() -> Upstream {
    Upstream::answering(|request: &Message| {
        let fields = ["Content-Type: application/json", "ETag: \"1\"", "Server: old", "Repr-Digest: sha-256=:AA==:"];
        let status = if request.target().contains("created") { 201 } else { 200 };
        Reply::with(status, &fields, ANSWER)
    })
}

/// One operation for each way of changing, all open to everybody.
fn definition(endpoint: &str) -> Value {
    let operation = |transform: Value| json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-transform": transform });
    let plain = json!({ "responses": { "200": { "description": "ok" } } });
    let request = json!({ "request": {
        "method": "PUT",
        "path": "/pets/${path.id}",
        "query": { "set": { "from": "${client.address}" }, "remove": ["debug"] },
        "body": [{ "merge": { "by": "${header.x-user}", "password": null } }],
    } });
    let answer = json!({ "response": { "status": { "201": 200 }, "headers": { "remove": ["Server"] }, "redact": ["/owner/secret"] } });
    let made =
        json!({ "request": { "method": "POST", "path": "/search", "body": [{ "template": { "text": "{\"id\": {{ path.id }}}" } }] } });
    let mut definition = open_api(
        "/v1",
        endpoint,
        json!({
            "/animals/{id}": { "post": operation(request) },
            "/answers": { "get": operation(answer.clone()), "head": operation(answer.clone()) },
            "/created": { "get": operation(answer) },
            "/plain": { "get": plain.clone(), "post": plain },
            "/made/{id}": { "get": operation(made) },
            "/by/{name}": { "get": operation(json!({ "request": { "path": "/files/${path.name}" } })) },
        }),
    );
    definition["security"] = json!([]);
    definition["x-wso2-disable-security"] = json!(true);
    definition
}

fn serving(upstream: &Upstream) -> Gateway {
    Gateway::serving(&definition(&upstream.url()), Settings { h2c: true, ..Settings::of(json!({})) })
}

#[test]
fn the_upstream_sees_the_changed_request_with_a_length_of_its_own() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    let fields = ["Content-Type: application/json", "Content-Digest: sha-256=:AA==:", "X-User: ada"];
    let large = format!(r#"{{"n":12345678901234567890123,"password":"x","text":"{}"}}"#, "a".repeat(200_000));
    for body in [r#"{"n":12345678901234567890123,"password":"x"}"#, &large] {
        let answer = gateway.send("POST", "/v1/animals/7%20a?debug=1&x=y", &fields, body.as_bytes());
        assert_eq!((answer.status(), answer.text().as_str()), (200, ANSWER));
        let seen = upstream.only();
        assert_eq!((seen.method(), seen.target()), ("PUT", "/pets/7%20a?x=y&from=127.0.0.1"));
        let expected = body.replace(r#","password":"x""#, "").replacen('}', r#","by":"ada"}"#, 1);
        assert_eq!(seen.text(), expected);
        assert_eq!(seen.field("content-length"), Some(expected.len().to_string().as_str()));
        assert_eq!((seen.field("content-digest"), seen.field("x-user")), (None, Some("ada")));
        upstream.forget();
    }
    let log = gateway.log_of(2);
    assert!(
        log.iter().all(|line| line["method"] == "POST" && line["path"] == "/v1/animals/7%20a"),
        "the log has what was asked for: {log:?}"
    );
}

#[test]
fn a_request_without_a_body_can_be_given_one() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    let mut client = gateway.connect();
    for id in ["7", "a%22b"] {
        let answer = client.ask("GET", &format!("/v1/made/{id}"), &[], b"").unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (200, ANSWER));
        let seen = upstream.only();
        let expected = format!(r#"{{"id": "{}"}}"#, id.replace("%22", "\\\""));
        assert_eq!((seen.method(), seen.target(), seen.text()), ("POST", "/search", expected.clone()));
        let length = expected.len().to_string();
        assert_eq!((seen.field("content-type"), seen.field("content-length")), (Some("application/json"), Some(length.as_str())));
        upstream.forget();
    }
}

#[test]
fn a_body_that_cannot_be_changed_never_gets_there() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    for (content_type, body, status, reason) in [
        ("text/plain", "{}", 415, "transform.media_type"),
        ("application/json", "{", 400, "transform.body"),
        ("application/json", r#"{"a":1,"a":2}"#, 400, "transform.body"),
    ] {
        let answer = gateway.send("POST", "/v1/animals/7", &[&format!("Content-Type: {content_type}")], body.as_bytes());
        let problem: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!((answer.status(), &problem["reason"]), (status, &json!(reason)), "{body}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn the_client_sees_the_changed_answer_and_no_digest_of_the_first() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    let expected = r#"{"id":7.10,"owner":{"name":"Ada"}}"#;
    for (target, status) in [("/v1/answers", 200), ("/v1/created", 200)] {
        let answer = gateway.get(target);
        assert_eq!((answer.status(), answer.text().as_str()), (status, expected), "{target}");
        assert_eq!(answer.field("content-length"), Some(expected.len().to_string().as_str()));
        for gone in ["server", "etag", "repr-digest"] {
            assert_eq!(answer.field(gone), None, "{gone}");
        }
    }
    let head = gateway.connect().ask("HEAD", "/v1/answers", &[], b"").unwrap();
    assert_eq!((head.status(), head.field("server"), head.field("content-length")), (200, None, None));
    let plain = gateway.get("/v1/plain");
    assert_eq!((plain.text().as_str(), plain.field("server"), plain.field("etag")), (ANSWER, Some("old"), Some("\"1\"")));
}

#[test]
fn http2_gets_the_same() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    let curl = |target: &str, more: &[&str]| {
        let url = format!("http://127.0.0.1:{}{target}", gateway.ports.h2c);
        let ran = Command::new("curl").args(["-s", "--max-time", "10", "--http2-prior-knowledge", &url]).args(more).output();
        String::from_utf8(ran.expect("curl runs").stdout).unwrap()
    };
    assert_eq!(curl("/v1/answers", &[]), r#"{"id":7.10,"owner":{"name":"Ada"}}"#);
    upstream.forget();
    let fields = ["-H", "Content-Type: application/json", "-H", "X-User: ada", "-d", r#"{"password":"x"}"#];
    assert_eq!(curl("/v1/animals/7", &fields), ANSWER);
    let seen = upstream.only();
    assert_eq!((seen.method(), seen.target(), seen.text().as_str()), ("PUT", "/pets/7?from=127.0.0.1", r#"{"by":"ada"}"#));
}

#[test]
fn a_path_that_was_made_of_what_a_client_sent_is_judged_as_his_own() {
    let upstream = upstream();
    let gateway = serving(&upstream);
    assert_eq!(gateway.get("/v1/by/a.txt").status(), 200);
    assert_eq!(upstream.only().target(), "/files/a.txt");
}

#[test]
fn a_body_becomes_xml_as_the_definition_names_its_elements_and_its_answer_json_again() {
    let upstream = Upstream::answering(|_: &Message| {
        Reply::with(200, &["Content-Type: application/xml"], "<order number=\"7\"><lines><line>a</line></lines></order>")
    });
    let order = json!({ "type": "object", "xml": { "name": "order" }, "properties": {
        "number": { "type": "integer", "xml": { "attribute": true } },
        "lines": { "type": "array", "xml": { "wrapped": true }, "items": { "type": "string", "xml": { "name": "line" } } },
    } });
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } });
    let mut definition = open_api(
        "/v1",
        &upstream.url(),
        json!({ "/orders": { "post": {
            "requestBody": { "content": content },
            "responses": { "200": { "description": "ok", "content": content } },
            "x-tollgate-transform": { "request": { "body": [{ "to_xml": {} }] }, "response": { "body": [{ "to_json": {} }] } },
        } } }),
    );
    definition["components"] = json!({ "schemas": { "Order": order } });
    definition["x-wso2-disable-security"] = json!(true);
    // With the filter that judges what clients send, and without it.
    for chain in [json!(["validate", "transform"]), json!(["transform"])] {
        let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": chain })));
        let body = br#"{"number":12,"lines":["a&b","c"]}"#;
        let answer = gateway.send("POST", "/v1/orders", &["Content-Type: application/json"], body);
        assert_eq!((answer.status(), answer.text().as_str()), (200, r#"{"number":7,"lines":["a"]}"#), "{chain}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
        let seen = upstream.only();
        let expected =
            r#"<?xml version="1.0" encoding="UTF-8"?><order number="12"><lines><line>a&amp;b</line><line>c</line></lines></order>"#;
        assert_eq!((seen.field("content-type"), seen.text().as_str()), (Some("application/xml; charset=utf-8"), expected));
        upstream.forget();
    }
}
