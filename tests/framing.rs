//! Bytes that two readers could cut differently: nothing reaches the upstream that the gateway did not log, and never what
//! was smuggled.

use std::{fs, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tollgate_tests::{Gateway, Reply, Settings, Upstream, ledger, shared_cases, until};

/// The bytes of a case; long ones are written as prefix, repeated unit, suffix.
fn bytes(case: &Value, host: &str) -> Vec<u8> {
    let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let raw: Vec<u8> = match case["parts"].as_array() {
        None => decode(&case["bytes_b64"]),
        Some(parts) => parts
            .iter()
            .flat_map(|part| match part.as_array() {
                Some(pair) => decode(&pair[0]).repeat(pair[1].as_u64().unwrap() as usize),
                None => decode(part),
            })
            .collect(),
    };
    replace(&raw, b"{host}", host.as_bytes())
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [out.as_slice(), rest].concat()
}

/// Sends the chosen cases of a corpus, one connection each, and says which request lines arrived upstream
/// with all that belongs to them.
fn play(corpus: &str, choose: impl Fn(&Value) -> bool) -> Vec<String> {
    let Some(folder) = shared_cases("04-http1") else { return Vec::new() };
    let upstream = Upstream::start();
    let config = json!({ "limits": { "header_time": "1s", "idle_time": "1s" }, "upstream": { "read_timeout": "2s" } });
    let gateway = Gateway::over(&upstream.url(), Settings::of(config));
    let text = fs::read_to_string(folder.join(corpus)).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut sent = 0;
    for case in cases.filter(choose) {
        let mut client = gateway.connect();
        client.patience(Duration::from_secs(4));
        // A refusal may close the connection before everything is written.
        let _ = client.write(bytes(&case, "localhost"));
        client.finish();
        client.rest();
        sent += 1;
    }
    assert!(sent > 0, "no case of {corpus} was chosen");
    until("the last connection to be over", || gateway.metric("tollgate_connections").filter(|open| *open == 0.0));
    // One more request: its line in the log comes after everybody else's.
    assert_eq!(gateway.get("/last").status(), 200);
    until("the last line of the log", || gateway.log().iter().any(|line| line["path"] == "/last").then_some(()));
    settle(&gateway, &upstream);
    ledger::compare(&gateway.log(), &upstream);
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
    // A body streams, so its beginning may have gone out before its framing turned out to be wrong.
    let starts = upstream.requests().into_iter().filter(|received| received.whole).map(|received| received.message.start);
    starts.filter(|start| !start.contains("/last")).collect()
}

/// Waits until the upstream has read what was sent to it: a request whose client has gone may still be on its way.
fn settle(gateway: &Gateway, upstream: &Upstream) {
    let attempts: u64 = gateway.log().iter().map(|line| line["attempts"].as_u64().unwrap()).sum();
    until("the upstream to read everything", || (upstream.count() as u64 + upstream.broken().len() as u64 >= attempts).then_some(()));
}

fn smuggled(arrived: &[String]) -> Vec<&String> {
    arrived.iter().filter(|start| start.contains("smuggled")).collect()
}

/// Cases that another parser calls invalid and that are read in one way only.
const HARMLESS: &[&str] = &[
    // RFC 9112 §2.2: a server should ignore an empty line before the request line.
    "gunicorn/invalid/rfc9112_leading_crlf_02",
    // RFC 9110 §6.5.1: trailers are dropped, whatever they hold.
    "gunicorn/invalid/rfc9110_trailer_forbidden_te_01",
];

fn invalid(case: &Value) -> bool {
    case["verdict_there"] == "invalid" && !HARMLESS.contains(&case["id"].as_str().unwrap())
}

#[test]
fn no_technique_smuggles_a_request_past_the_gateway() {
    assert_eq!(smuggled(&play("framing-own.jsonl", |_| true)), Vec::<&String>::new());
}

#[test]
fn no_case_of_other_parsers_makes_the_ledgers_differ() {
    for corpus in ["gunicorn.jsonl", "llhttp.jsonl", "http-garden.jsonl"] {
        assert_eq!(smuggled(&play(corpus, |_| true)), Vec::<&String>::new(), "{corpus}");
    }
}

#[test]
fn what_other_parsers_call_invalid_does_not_reach_the_upstream() {
    for corpus in ["gunicorn.jsonl", "llhttp.jsonl"] {
        assert_eq!(play(corpus, invalid), Vec::<String>::new(), "{corpus}");
    }
}

/// Some readers take a line feed alone for the end of a line, and see another message (RFC 9112 §2.2).
#[test]
fn a_line_that_ends_without_a_carriage_return_is_refused_and_the_connection_is_closed() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for head in [
        "GET /x HTTP/1.1\nHost: localhost\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\r\nX: y\nZ: z\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: localhost\r\n\n",
    ] {
        let mut client = gateway.connect();
        client.write(format!("{head}GET /y HTTP/1.1\r\nHost: localhost\r\n\r\n")).unwrap();
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.starts_with("HTTP/1.1 400") && rest.matches("HTTP/1.1 ").count() == 1, "{head:?}: {rest}");
    }
    assert_eq!(upstream.count(), 0);
}

/// Chunks and trailers in which readers of other taste find other ends (RFC 9112 §7.1).
const BROKEN_CHUNKS: &[&str] = &[
    "\r\n\r\n",
    "\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "00000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;\0\r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "5\r\nhello\r\n0\r\nno field\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: y\r\n folded\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: y\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
];

#[test]
fn a_chunk_or_trailer_that_breaks_the_grammar_is_refused_with_its_reason_however_it_is_cut() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let (head, next) = ("Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (n, body) in BROKEN_CHUNKS.iter().enumerate() {
        let bytes = format!("POST /{n} HTTP/1.1\r\n{head}{body}{next}");
        for pieces in [bytes.len(), 7, 1] {
            let mut client = gateway.connect();
            for piece in bytes.as_bytes().chunks(pieces) {
                // A refusal may close the connection before everything is written.
                let _ = client.write(piece);
            }
            let answer = client.answer("POST");
            // What is left unread when a connection closes may take the answer with it.
            assert!(answer.as_ref().map_or(pieces < bytes.len(), |answer| answer.status() == 400), "{body:?}: {answer:?}");
        }
    }
    let lines = gateway.log_of(3 * BROKEN_CHUNKS.len());
    for line in &lines {
        assert_eq!((&line["reason"], &line["status"]), (&"request.framing".into(), &400.into()), "{line}");
        assert!(
            line["detail"].as_str().is_some_and(|why| why.contains("chunk") || why.contains("trailer") || why.contains("line")),
            "{line}"
        );
    }
    gateway.metric_reaches("tollgate_refusals_total{reason=\"request.framing\"}", lines.len() as f64);
    assert_eq!(upstream.requests().iter().filter(|received| received.whole).count(), 0);
}

#[test]
fn chunks_with_extensions_and_trailers_that_keep_the_grammar_arrive() {
    let upstream = Upstream::answering(|request| Reply::new(200, &request.body));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let bodies =
        ["5\r\nhello\r\n0\r\n\r\n", "05;a=b; c=\"d;\"\r\nhello\r\n00;e\r\nX-Sum: 1\r\nY:\r\n\r\n", "1;s=0\r\nh\r\n4\r\nello\r\n0\r\n\r\n"];
    for pieces in [1, 3, 4096] {
        let mut client = gateway.connect();
        for body in bodies {
            let bytes = format!("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            bytes.as_bytes().chunks(pieces).for_each(|piece| client.write(piece).unwrap());
            assert_eq!(client.answer("POST").unwrap().text(), "hello", "{body:?} in pieces of {pieces}");
        }
    }
}

/// The engine would make one word of them, if it saw the whole line at once (RFC 9112 §3.2).
#[test]
fn a_target_with_a_raw_space_is_refused_however_it_is_cut() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for line in ["GET /a b HTTP/1.1", "GET  /a HTTP/1.1", "GET /a HTTP/1.1 HTTP/1.1", "GET /a\tb HTTP/1.1", "GET /a\x7fb HTTP/1.1"] {
        let bytes = format!("{line}\r\nHost: localhost\r\n\r\n");
        for pieces in [bytes.len(), 6, 1] {
            let mut client = gateway.connect();
            for piece in bytes.as_bytes().chunks(pieces) {
                // A refusal may close the connection before everything is written.
                let _ = client.write(piece);
            }
            let answer = client.answer("GET");
            // What is left unread when a connection closes may take the answer with it.
            assert!(answer.as_ref().map_or(pieces < bytes.len(), |answer| answer.status() == 400), "{line:?}: {answer:?}");
        }
    }
    assert_eq!(upstream.count(), 0, "{:?}", upstream.requests());
}
