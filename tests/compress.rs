//! Answers that are compressed on their way to clients.

use std::io::Read;

use serde_json::json;
use tollgate_tests::{Gateway, Message, Reply, Settings, Upstream};

const TEXT: &str = "twenty bytes of text";

fn upstream() -> Upstream {
    Upstream::answering(|request: &Message| {
        let fields = ["Content-Type: text/plain", "ETag: \"1\"", "Accept-Ranges: bytes"];
        match request.target() {
            "/short" => Reply::with(200, &fields, "short"),
            "/coded" => Reply::with(200, &["Content-Type: text/plain", "Content-Encoding: br"], TEXT.repeat(100)),
            "/part" => Reply::with(206, &["Content-Type: text/plain", "Content-Range: bytes 0-1999/9000"], TEXT.repeat(100)),
            _ => Reply::with(200, &fields, TEXT.repeat(10_000)),
        }
    })
}

fn gateway(upstream: &Upstream) -> Gateway {
    let routes = json!([
        { "upstream": upstream.url() },
        { "path": "/off", "upstream": upstream.url(), "filters": { "compress": { "types": ["image/bmp"] } } },
    ]);
    Gateway::routing_with(
        tollgate_tests::Folder::new(),
        Settings { h2c: true, ..Settings::of(json!({ "chain": ["compress"], "routes": routes })) },
    )
}

fn unpacked(coded: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(coded).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn an_answer_is_compressed_as_it_streams_and_its_head_says_so() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    for _ in 0..2 {
        let answer = client.ask("GET", "/long", &["Accept-Encoding: gzip"], b"").unwrap();
        assert_eq!((answer.status(), answer.field("content-encoding"), answer.field("vary")), (200, Some("gzip"), Some("Accept-Encoding")));
        assert_eq!((answer.field("etag"), answer.field("content-length"), answer.field("accept-ranges")), (Some("W/\"1\""), None, None));
        assert!(answer.body.len() < 20_000, "{}", answer.body.len());
        assert_eq!(unpacked(&answer.body), TEXT.repeat(10_000));
    }
    let plain = client.ask("GET", "/long", &[], b"").unwrap();
    assert_eq!((plain.text(), plain.field("vary"), plain.field("etag")), (TEXT.repeat(10_000), Some("Accept-Encoding"), Some("\"1\"")));
    assert_eq!(upstream.requests()[0].message.field("accept-encoding"), Some("gzip"));
    gateway.metric_reaches("tollgate_compress_answers_total", 2.0);
}

#[test]
fn what_would_not_gain_or_must_not_change_is_left_alone() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    for (method, target, coding, length) in
        [("GET", "/short", None, 5), ("GET", "/coded", Some("br"), 2000), ("GET", "/part", None, 2000), ("GET", "/off", None, 200_000)]
    {
        let answer = client.ask(method, target, &["Accept-Encoding: gzip"], b"").unwrap();
        assert_eq!((answer.field("content-encoding"), answer.body.len()), (coding, length), "{target}");
    }
    let head = client.ask("HEAD", "/long", &["Accept-Encoding: gzip"], b"").unwrap();
    assert_eq!((head.field("content-encoding"), head.body.len(), head.field("vary")), (None, 0, Some("Accept-Encoding")));
    let own = gateway.send("GET", "/long", &["Accept-Encoding: gzip", "Host: a b"], b"");
    assert_eq!((own.status(), own.field("content-encoding")), (400, None));
}

#[test]
fn a_client_of_http_1_0_gets_it_up_to_the_end_of_the_connection() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let mut client = gateway.connect();
    client.write("GET /long HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n").unwrap();
    let said = client.rest();
    let at = said.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&said[..at]).to_ascii_lowercase();
    assert!(head.contains("content-encoding: gzip") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(unpacked(&said[at + 4..]), TEXT.repeat(10_000));
}
