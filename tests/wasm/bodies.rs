//! Bodies that modules rewrite, whole and piece by piece, and calls that they make.

use std::process::Command;

use serde_json::json;
use tollgate_tests::{Gateway, Message, Reply, Upstream, ports::free_port};

use super::guest::{built, running};

fn with(upstream: &Upstream, guest: &str, more: serde_json::Value) -> Gateway {
    running(upstream, built(guest).to_str().unwrap(), more)
}

#[test]
fn whole_bodies_get_a_length_of_their_own_both_ways() {
    let upstream = Upstream::answering(|_| Reply::with(200, &["Content-Type: text/plain", "ETag: \"1\""], "a colour"));
    let gateway = with(&upstream, "body", json!({ "request_body": "whole", "response_body": "whole" }));
    for large in [false, true] {
        let body = format!("{}colour", if large { "x".repeat(100_000) } else { String::new() });
        let answer = gateway.send("POST", "/v1/x", &["Content-Type: text/plain", "Repr-Digest: sha-256=:AA==:"], body.as_bytes());
        assert_eq!((answer.status(), answer.text().as_str(), answer.field("etag")), (200, "a shade of grey", None));
        let expected = body.replace("colour", "shade of grey");
        let seen = upstream.only();
        assert_eq!((seen.text().len(), seen.field("content-length")), (expected.len(), Some(expected.len().to_string().as_str())));
        assert_eq!(seen.field("repr-digest"), None);
        upstream.forget();
    }
    let url = format!("http://127.0.0.1:{}/v1/x", gateway.ports.h2c);
    let ran = Command::new("curl").args(["-s", "--max-time", "10", "--http2-prior-knowledge", "-d", "a colour", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "a shade of grey");
    assert_eq!(upstream.only().text(), "a shade of grey");
}

#[test]
fn bodies_that_stream_are_rewritten_with_flat_memory() {
    const SIZE: usize = 10 << 20;
    let upstream = Upstream::answering(|request: &Message| {
        let size = if request.method() == "GET" { SIZE } else { 0 };
        Reply::with(200, &["Content-Type: text/plain"], "a".repeat(size) + "7")
    });
    // It is about memory: a busy machine needs more time for a piece.
    let limits = json!({ "callback": "1s", "request": "2s" });
    let gateway = with(&upstream, "stream", json!({ "request_body": "stream", "response_body": "stream", "limits": limits }));
    assert_eq!(gateway.get("/v1/warm").text().len(), SIZE + "##[end]".len());
    let before = gateway.memory();
    for _ in 0..3 {
        let answer = gateway.get("/v1/x");
        assert!(answer.text().ends_with("aaa##[end]") && answer.field("content-length").is_none());
    }
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 32, "{grown} MiB more for bodies of 10 MiB");
    upstream.forget();
    let answer = gateway.send("POST", "/v1/x", &["Content-Type: text/plain"], b"abc1");
    assert_eq!(answer.text(), "##[end]");
    assert_eq!(upstream.only().text(), "abc##[end]");
}

#[test]
fn a_module_asks_another_server_and_decides_by_its_answer() {
    let upstream = Upstream::start();
    let authorizer = Upstream::answering(|request: &Message| match request.field("authorization") {
        Some("Bearer good") => Reply::with(200, &["X-User: ada"], ""),
        _ => Reply::new(401, "unknown token"),
    });
    let gateway = with(&upstream, "authorize", json!({ "calls": { "authorizer": { "url": authorizer.url() } } }));
    let answer = gateway.send("GET", "/v1/x?a=1", &["Authorization: Bearer good"], b"");
    assert_eq!(answer.status(), 200);
    assert_eq!(upstream.only().field("x-user"), Some("ada"));
    let asked = authorizer.only();
    assert_eq!((asked.target(), asked.field("x-asked-path")), ("/decide", Some("/v1/x?a=1")));
    let refused = gateway.send("GET", "/v1/x", &["Authorization: Bearer bad"], b"");
    assert_eq!((refused.status(), refused.text().as_str()), (403, "refused: unknown token"));
    assert_eq!(refused.field("x-decided-by"), Some("authorize"));
}

#[test]
fn a_module_whose_server_is_away_learns_that() {
    let upstream = Upstream::start();
    let url = format!("http://127.0.0.1:{}", free_port());
    let gateway = with(&upstream, "authorize", json!({ "calls": { "authorizer": { "url": url } } }));
    let answer = gateway.send("GET", "/v1/x", &[], b"");
    assert_eq!((answer.status(), answer.text().as_str()), (503, "nobody could decide"));
    assert_eq!(upstream.count(), 0);
}
