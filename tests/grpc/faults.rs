//! Upstreams that fail, as a client of gRPC sees it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Upstream,
    h2::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, block, frame},
    parts::grpc,
    ports::{free_port, listener},
};

use super::world::{call, make, service, settings, unary, world};

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

/// An upstream that does one thing with each connection, when the head of a request has come.
fn upstream(answer: impl Fn(&mut TcpStream) + Send + 'static) -> u16 {
    let listener = listener();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut begin = [0; 64];
            // The preface, settings and the begin of a head come in one piece or in several.
            let mut came = 0;
            while came < begin.len() {
                match stream.read(&mut begin[came..]) {
                    Ok(read @ 1..) => came += read,
                    _ => break,
                }
            }
            answer(&mut stream);
        }
    });
    port
}

/// Sends frames of a server, and reads on until the gateway hangs up.
fn speak(stream: &mut TcpStream, frames: &[Vec<u8>]) {
    let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[]));
    let _ = stream.write_all(&frames.concat());
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn what_an_upstream_does_wrong_has_its_code_and_its_reason_in_time() {
    let head = |end: u8| frame(HEADERS, END_HEADERS | end, 1, &block(&[(":status", "200"), ("content-type", "application/grpc")]));
    let endless = block(&[(":status", "200"), ("large", &"x".repeat(1 << 20))]);
    let endless: Vec<Vec<u8>> =
        endless.chunks(16_000).enumerate().map(|(n, piece)| frame(if n == 0 { HEADERS } else { 9 }, 0, 1, piece)).collect();
    let cases: Vec<(&str, u16, u64, Option<&str>)> = vec![
        ("nobody listens", free_port(), 14, Some("upstream.connect")),
        ("silent", upstream(|_| thread::sleep(Duration::from_secs(60))), 4, Some("upstream.timeout")),
        ("hangs up", upstream(|_| ()), 14, Some("upstream.broken")),
        ("speaks HTTP/1.1", upstream(|stream| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"))), 14, Some("upstream.broken")),
        ("resets the stream", upstream(|stream| speak(stream, &[frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])])), 14, Some("upstream.broken")),
        ("goes away", upstream(|stream| speak(stream, &[frame(GOAWAY, 0, 0, &[0; 8])])), 14, Some("upstream.broken")),
        ("a head without an end", upstream(move |stream| speak(stream, &endless)), 4, Some("upstream.timeout")),
        (
            "resets after the head",
            upstream(move |stream| speak(stream, &[head(0), frame(RST_STREAM, 0, 1, &[0, 0, 0, 2])])),
            14,
            Some("upstream.broken"),
        ),
        // The client says so by itself.
        ("no status", upstream(move |stream| speak(stream, &[head(END_STREAM)])), 2, None),
    ];
    let mut wrong = Vec::new();
    for (what, port, status, reason) in cases {
        let mut settings = settings(json!({}));
        settings.config["upstream"]["read_timeout"] = "1s".into();
        let gateway = Gateway::serving(&service(&format!("http://127.0.0.1:{port}")), settings);
        let answer = make(&gateway, &[unary("x")]).remove(0);
        let line = gateway.log_of(1).remove(0);
        let as_said = answer["status"] == status && line["reason"] == reason.map_or(Value::Null, Value::from);
        let counted = reason.is_none_or(|reason| gateway.metric(&format!("tollgate_refusals_total{{reason=\"{reason}\"}}")) == Some(1.0));
        if !as_said || !counted || line["duration_ms"].as_f64().unwrap() > 5000.0 {
            wrong.push(format!("{what}: {answer}\n{line}\ncounted: {counted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
