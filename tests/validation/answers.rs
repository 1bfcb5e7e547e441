//! Answers: held back where it is asked for, and never half sent.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Project, Reply, Response, Settings, Upstream, parts::jsonschema};

use super::world::{definition, open};

/// What no client may read.
const SECRET: &str = "secret-of-the-upstream";

/// A gateway before an upstream that always answers this, in one mode.
fn answering(mode: &str, reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(move |request| if request.method() == "HEAD" { head_of(&reply) } else { reply.clone() });
    let schema = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" }, "pad": { "type": "string" } } });
    let content = json!({ "application/json": { "schema": schema }, "text/event-stream": { "schema": { "type": "string" } } });
    let operation = json!({ "responses": {
        "200": { "description": "ok", "content": content, "headers": { "X-Count": { "schema": { "type": "integer" } } } },
        "204": { "description": "none" },
    } });
    let paths = json!({ "/x": { "get": operation, "head": operation } });
    let project = Project::new().definition("api.json", open(&definition("3.0.3", paths).to_string(), &upstream.url()));
    let settings = Settings::of(json!({ "chain": [{ "validate": { "response": mode } }] }));
    let gateway = Gateway::start(&project.build(&[]), settings);
    (upstream, gateway)
}

/// Without its body.
fn head_of(reply: &Reply) -> Reply {
    let bytes = &reply.pieces[0].1;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    Reply::raw(&bytes[..end])
}

fn json_reply(more: &[&str], body: impl AsRef<[u8]>) -> Reply {
    let fields: Vec<&str> = ["Content-Type: application/json"].into_iter().chain(more.iter().copied()).collect();
    Reply::with(200, &fields, body)
}

/// As JSON in chunks, each later than the one before.
fn chunked(chunks: &[&str]) -> Reply {
    let mut reply = Reply::raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks {
        reply = reply.then(Duration::from_millis(20), format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    reply.then(Duration::ZERO, "0\r\n\r\n")
}

fn packed(body: &str) -> jsonschema::Judged {
    jsonschema::judge(&json!({ "any": {} }), &[("any".to_owned(), body.to_owned())]).remove(0)
}

fn good(size: usize) -> String {
    format!(r#"{{"n":1,"pad":"{}"}}"#, "p".repeat(size))
}

fn bad(size: usize) -> String {
    format!(r#"{{"pad":"{SECRET}{}","n":"x"}}"#, "p".repeat(size))
}

fn passes(reply: Reply, body: &[u8]) {
    let (_upstream, gateway) = answering("enforce", reply);
    let answer = gateway.get("/x");
    assert_eq!((answer.status(), answer.body.len()), (200, body.len()), "{}", answer.text().chars().take(300).collect::<String>());
    assert!(answer.body == body, "the body is another");
}

/// Nothing of it reaches the client, who may ask again.
fn is_withheld(reply: Reply) -> Response {
    let (upstream, gateway) = answering("enforce", reply.clone());
    let mut client = gateway.connect();
    let answer = client.ask("GET", "/x", &[], b"").unwrap_or_else(|error| panic!("{reply:?}: {error}"));
    assert_eq!(answer.status(), 502, "{}", answer.text().chars().take(300).collect::<String>());
    assert!(!answer.text().contains(SECRET) && !String::from_utf8_lossy(&answer.head).contains(SECRET));
    assert_eq!(gateway.get("/x").status(), 502);
    assert!(upstream.count() >= 2);
    answer
}

#[test]
fn a_good_answer_arrives_as_it_was_sent() {
    passes(json_reply(&[], good(0)), good(0).as_bytes());
    passes(json_reply(&["X-Count: 7"], good(300_000)), good(300_000).as_bytes());
    passes(chunked(&[r#"{"n""#, r#":1,"pad":"#, r#""p"}"#]), good(1).as_bytes());
}

#[test]
fn an_answer_that_is_compressed_although_nobody_asked_for_that_is_withheld() {
    let (upstream, gateway) = answering("enforce", json_reply(&["Content-Encoding: gzip"], packed(&good(10)).gzip));
    let answer = gateway.send("GET", "/x", &["Accept-Encoding: gzip"], b"");
    assert_eq!(answer.status(), 502, "{}", answer.text());
    assert_eq!(upstream.only().field("accept-encoding"), Some("identity"));
}

#[test]
fn a_bad_answer_is_withheld_whole() {
    let answer = is_withheld(json_reply(&[], bad(0)));
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["reason"], "validate.response");
    assert!(problem["errors"].is_null(), "what is wrong with it is the operator's to know: {problem}");
    is_withheld(json_reply(&[], bad(300_000)));
    is_withheld(chunked(&[r#"{"n":1,"pad":"secret-of-the-"#, r#"upstream","n":"x"}"#]));
    is_withheld(json_reply(&[], format!(r#"{{"n":1,"pad":"{SECRET}"}} trailing"#)));
    is_withheld(json_reply(&[&format!("X-Count: {SECRET}")], good(0)));
}

#[test]
fn an_answer_that_breaks_off_or_is_too_large_is_withheld() {
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{\"n\":1,\"pad\":\"{SECRET}");
    is_withheld(Reply::raw(cut).close());
    is_withheld(json_reply(&[], format!(r#"{{"pad":"{SECRET}{}","n":1}}"#, "p".repeat(3 << 20))));
}

#[test]
fn what_has_no_body_or_no_end_is_not_held() {
    let (_upstream, gateway) = answering("enforce", json_reply(&[], good(0)));
    let head = gateway.send("HEAD", "/x", &[], b"");
    assert_eq!(head.status(), 200);
    let (_upstream, gateway) = answering("enforce", Reply::with(204, &[], ""));
    assert_eq!(gateway.get("/x").status(), 204);
    let events = Reply::raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n");
    let (_upstream, gateway) = answering("enforce", events.then(Duration::from_secs(3600), "data: last\n\n"));
    let mut client = gateway.connect();
    client.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(client.head().unwrap().status(), 200);
    let mut seen = Vec::new();
    let mut piece = [0; 256];
    while !String::from_utf8_lossy(&seen).contains("data: first") {
        let count = std::io::Read::read(&mut client.stream, &mut piece).unwrap();
        assert_ne!(count, 0, "the events end");
        seen.extend_from_slice(&piece[..count]);
    }
}

#[test]
fn report_lets_a_bad_answer_pass_as_it_is() {
    let (_upstream, gateway) = answering("report", json_reply(&["X-Count: many"], bad(100_000)));
    let answer = gateway.get("/x");
    assert_eq!((answer.status(), answer.field("x-count")), (200, Some("many")));
    assert!(answer.body == bad(100_000).as_bytes());
    gateway.metric_reaches("tollgate_validate_reported_total", 1.0);
    let (_upstream, gateway) = answering("off", json_reply(&[], bad(10)));
    assert_eq!(gateway.get("/x").body, bad(10).as_bytes());
}
