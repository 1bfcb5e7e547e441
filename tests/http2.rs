//! HTTP/2 on both sides: what it carries, and what attackers make of it.

use std::{collections::BTreeSet, fs, time::Duration};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, Identity, connector},
    client::Client,
    h2::{self, H2, Outcome},
    h2_upstream::H2Upstream,
    shared_cases,
};

/// Most memory that an attack may make the gateway take, in MiB.
const GROWTH: u64 = 64;

fn h2c(upstream: &Upstream, config: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings { h2c: true, config, tls: None })
}

fn open(gateway: &Gateway) -> H2 {
    H2::start(Client::connect(gateway.ports.h2c)).unwrap()
}

/// Demands that the gateway still serves everybody else.
fn serves_others(gateway: &Gateway) {
    let mut other = open(gateway);
    other.get(1, "/others", &[]).unwrap();
    assert_eq!(other.outcome(1), Outcome::Answered(200));
    assert_eq!(gateway.get("/others").status(), 200);
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

#[test]
fn every_attack_of_the_shared_cases_has_its_test_here() {
    let Some(folder) = shared_cases("05-http2") else { return };
    let tests = include_str!("http2.rs");
    let text = fs::read_to_string(folder.join("attacks-own.jsonl")).unwrap();
    let ids: BTreeSet<String> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned()).collect();
    // Stands among the traps: the engine would wait for the preface for ever.
    let elsewhere = "preface-garbage";
    let missing: Vec<&String> = ids.iter().filter(|id| *id != elsewhere && !tests.contains(&format!("/// {id}:"))).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn a_tls_listener_offers_http2_by_alpn() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let settings = Settings { tls: Some(json!({ "certificate": certificate, "key": key })), ..Settings::default() };
    let gateway = Gateway::over(&upstream.url(), settings);
    let client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"\x02h2", None)).unwrap();
    let mut client = H2::start(client).unwrap();
    for n in 0..20 {
        client.get(1 + 2 * n, &format!("/{n}"), &[]).unwrap();
    }
    for n in 0..20 {
        assert_eq!(client.outcome(1 + 2 * n), Outcome::Answered(200));
    }
    assert_eq!(upstream.count(), 20);
    assert_eq!(gateway.log_of(20)[0]["protocol"], "HTTP/2");
}

/// h1-on-h2-port: HTTP/1 bytes on a connection that chose HTTP/2.
#[test]
fn http1_on_an_http2_connection_is_closed() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let tls = Some(json!({ "certificate": certificate, "key": key }));
    let gateway = Gateway::over(&upstream.url(), Settings { tls, h2c: true, config: json!({ "limits": { "header_time": "1s" } }) });
    let over_tls = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"\x02h2", None)).unwrap();
    for mut client in [over_tls, Client::connect(gateway.ports.h2c)] {
        client.write("GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let rest = client.rest();
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(upstream.count(), 0);
}

/// An upstream that speaks HTTP/2 over TLS.
fn secured(identity: &Identity) -> H2Upstream {
    let mut builder = identity.acceptor_builder();
    builder
        .set_alpn_select_callback(|_, offered| openssl::ssl::select_next_proto(b"\x02h2", offered).ok_or(openssl::ssl::AlpnError::NOACK));
    H2Upstream::start(Some(builder.build()))
}

/// The handshake is good to OpenSSL, and no stream is opened.
#[test]
fn t16_an_upstream_that_its_subject_alone_names_gets_no_request_over_http2_either() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let upstream = secured(&authority.issue("localhost", 2, &[]));
    let config = json!({ "upstream": { "http": "auto", "ca": ca } });
    let gateway = Gateway::over(&format!("https://localhost:{}", upstream.port), Settings::of(config));
    for _ in 0..3 {
        assert_eq!(gateway.get("/x").status(), 502);
    }
    assert!(gateway.log_of(3).iter().all(|line| line["reason"] == "upstream.connect"), "{:?}", gateway.log());
    assert_eq!(upstream.streams(), 0);
}

#[test]
fn an_upstream_may_be_spoken_to_in_http2_with_and_without_tls() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let plain = H2Upstream::start(None);
    let secure = secured(&authority.issue("up", 2, &["localhost"]));
    let body = vec![b'x'; 300_000];
    for (url, config) in [
        (format!("http://127.0.0.1:{}", plain.port), json!({ "upstream": { "http": "2" } })),
        (format!("https://localhost:{}", secure.port), json!({ "upstream": { "http": "auto", "ca": ca } })),
    ] {
        let gateway = Gateway::over(&url, Settings::of(config));
        assert_eq!(gateway.get("/x").text(), "0 bytes over h2", "{url}");
        assert_eq!(gateway.send("POST", "/x", &[], &body).text(), "300000 bytes over h2", "{url}");
    }
    assert_eq!((plain.streams(), secure.streams()), (2, 2));
}

/// rapid-reset: HEADERS and RST_STREAM again and again.
/// pending-accept-reset: the same, faster than the application accepts.
#[test]
fn streams_that_are_reset_at_once_cost_nobody_else_anything() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    serves_others(&gateway);
    let before = gateway.memory();
    for _ in 0..5 {
        let mut client = open(&gateway);
        let block = h2::block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/reset")]);
        for batch in 0..100u32 {
            let mut bytes = Vec::new();
            for n in 0..100 {
                let stream = 1 + 2 * (batch * 100 + n);
                bytes.extend(h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, stream, &block));
                bytes.extend(h2::frame(h2::RST_STREAM, 0, stream, &8u32.to_be_bytes()));
            }
            // The gateway may hang up at any time; that is the point.
            if client.send_raw(&bytes).is_err() {
                break;
            }
        }
    }
    serves_others(&gateway);
    let after = gateway.memory();
    assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
    assert!(upstream.count() < 25_000, "{} of 50000 reset requests went upstream", upstream.count());
}

/// A header block that refers so many times to one small field.
fn bomb(name: &str, references: usize) -> Vec<u8> {
    let mut block = h2::block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/bomb")]);
    block.push(0x40);
    block.push(name.len() as u8);
    block.extend_from_slice(name.as_bytes());
    block.extend_from_slice(b"\x01a");
    // Entry 62 is the newest of the dynamic table.
    block.resize(block.len() + references, 0xbe);
    block
}

fn explode(name: &str) {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    serves_others(&gateway);
    let (before, mut client) = (gateway.memory(), open(&gateway));
    upstream.forget();
    let block = bomb(name, 16_000 - 200);
    for n in 0..100 {
        if client.send_raw(&h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, 1 + 2 * n, &block)).is_err() {
            break;
        }
    }
    client.patience(Duration::from_secs(2));
    while client.frame().is_ok() {}
    let after = gateway.memory();
    assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
    assert_eq!(upstream.count(), 0, "a request with thousands of fields went upstream");
    serves_others(&gateway);
}

/// hpack-bomb-index: thousands of references to one entry of the dynamic table.
#[test]
fn a_header_block_of_references_is_refused_by_the_number_of_its_fields() {
    explode("x");
}

/// cookie-crumbs: the same with crumbs of one cookie.
#[test]
fn crumbs_of_a_cookie_are_counted_before_they_are_joined() {
    explode("cookie");
}

/// window-stall: large answers and no window to send them.
#[test]
fn a_client_that_opens_no_window_is_cut_off() {
    let upstream = Upstream::answering(|_| Reply::new(200, vec![b'x'; 1 << 20]));
    let gateway = h2c(&upstream, json!({ "limits": { "write_time": "1s", "idle_time": "2s" } }));
    let before = gateway.memory();
    let mut client = open(&gateway);
    client.send(h2::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).unwrap();
    for n in 0..50 {
        client.get(1 + 2 * n, "/large", &[]).unwrap();
    }
    client.patience(Duration::from_secs(15));
    let mut ended = 0;
    loop {
        match client.frame() {
            Ok(frame) if frame.kind == h2::RST_STREAM => ended += 1,
            Ok(frame) if frame.kind == h2::GOAWAY => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                assert!(ended >= 50, "{} streams are still held", 50 - ended);
                break;
            }
            Err(_) => break,
        }
        if ended >= 50 {
            break;
        }
    }
    let after = gateway.memory();
    assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
}

/// Sends fields as they are and demands that they are refused and nothing goes upstream.
fn refused(cases: &[&[(&str, &str)]]) {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    for fields in cases {
        let mut client = open(&gateway);
        client.headers(1, fields, true).unwrap();
        let outcome = client.outcome(1);
        assert!(!matches!(outcome, Outcome::Answered(200) | Outcome::Silence), "{fields:?}: {outcome:?}");
        assert_eq!(upstream.count(), 0, "{fields:?}: {:?}", upstream.requests());
    }
    serves_others(&gateway);
}

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "http");
const AUTHORITY: (&str, &str) = (":authority", "localhost");
const PATH: (&str, &str) = (":path", "/x");

/// connection-headers: fields of HTTP/1 that say how a message is framed.
#[test]
fn connection_fields_are_malformed() {
    refused(&[
        &[METHOD, SCHEME, AUTHORITY, PATH, ("connection", "close")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("transfer-encoding", "chunked")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("upgrade", "websocket")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("keep-alive", "5")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("proxy-connection", "close")],
    ]);
}

/// crlf-in-name: and in a value, and NUL.
/// colon-in-name: a field within a name.
/// crlf-in-method: a request line within a method.
#[test]
fn bytes_that_would_end_a_line_of_http1_are_malformed() {
    refused(&[
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x\r\nevil", "1")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x", "1\r\nevil: 1")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x", "1\0")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x", " 1")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x", "1\t")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("x: y", "1")],
        &[METHOD, SCHEME, AUTHORITY, PATH, ("X-Upper", "1")],
        &[(":method", "GET /smuggled HTTP/1.1\r\nx: "), SCHEME, AUTHORITY, PATH],
        &[(":method", "GET /smuggled"), SCHEME, AUTHORITY, PATH],
        &[METHOD, SCHEME, AUTHORITY, (":path", "/x HTTP/1.1\r\nevil: 1")],
        &[METHOD, SCHEME, AUTHORITY, (":path", "/x y")],
        &[METHOD, SCHEME, AUTHORITY, (":path", "x")],
        &[METHOD, SCHEME, AUTHORITY, (":path", "")],
        &[METHOD, SCHEME, AUTHORITY],
        &[METHOD, METHOD, SCHEME, AUTHORITY, PATH],
        &[METHOD, SCHEME, AUTHORITY, PATH, (":late", "1")],
    ]);
}

/// authority-vs-host: two hosts that differ.
/// authority-userinfo: a user before the host.
#[test]
fn an_authority_with_two_readings_is_refused() {
    refused(&[
        &[METHOD, SCHEME, AUTHORITY, PATH, ("host", "other")],
        &[METHOD, SCHEME, (":authority", "user@localhost"), PATH],
        &[METHOD, SCHEME, (":authority", "a, b"), PATH],
        &[METHOD, SCHEME, PATH, ("host", "a"), ("host", "b")],
    ]);
}

#[test]
fn crumbs_of_a_cookie_reach_an_upstream_of_http1_as_one_field() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    let mut client = open(&gateway);
    client.headers(1, &[METHOD, SCHEME, AUTHORITY, PATH, ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")], true).unwrap();
    assert_eq!(client.outcome(1), Outcome::Answered(200));
    assert_eq!(upstream.only().all("cookie"), ["a=1; b=2"]);
}

/// scheme-odd: schemes that are not the connection's.
#[test]
fn a_scheme_never_changes_what_the_upstream_is_told_about_the_connection() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    for scheme in ["https", "HTTPS", "javascript", ""] {
        let mut client = open(&gateway);
        client.headers(1, &[METHOD, (":scheme", scheme), AUTHORITY, PATH], true).unwrap();
        assert_ne!(client.outcome(1), Outcome::Silence, "{scheme}");
    }
    serves_others(&gateway);
    assert!(upstream.requests().iter().all(|received| received.message.field("x-forwarded-proto") == Some("http")));
}

/// trailers-auth: credentials after the body.
#[test]
fn trailers_are_never_merged_into_the_header() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    let mut client = open(&gateway);
    client.headers(1, &[(":method", "POST"), SCHEME, AUTHORITY, PATH], false).unwrap();
    client.send(h2::DATA, 0, 1, b"body").unwrap();
    client.headers(1, &[("authorization", "Bearer x"), ("x-jwt-assertion", "x"), ("x-late", "1")], true).unwrap();
    client.outcome(1);
    serves_others(&gateway);
    for received in upstream.requests() {
        for name in ["authorization", "x-jwt-assertion", "x-late"] {
            assert_eq!(received.message.field(name), None, "{received:?}");
        }
    }
}

/// goaway-then-streams: streams after the client said goodbye.
#[test]
fn streams_after_a_goodbye_harm_nobody() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    let mut client = open(&gateway);
    client.send(h2::GOAWAY, 0, 0, &[0; 8]).unwrap();
    for n in 0..100 {
        if client.get(1 + 2 * n, "/late", &[]).is_err() {
            break;
        }
    }
    serves_others(&gateway);
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_never_arrives_whole() {
    let upstream = Upstream::start();
    let gateway = h2c(&upstream, json!({}));
    for (length, body) in [("5", "abc"), ("2", "abc")] {
        let mut client = open(&gateway);
        client.headers(1, &[(":method", "POST"), SCHEME, AUTHORITY, PATH, ("content-length", length)], false).unwrap();
        let _ = client.send(h2::DATA, h2::END_STREAM, 1, body.as_bytes());
        let outcome = client.outcome(1);
        assert!(!matches!(outcome, Outcome::Answered(200) | Outcome::Silence), "{length}: {outcome:?}");
    }
    serves_others(&gateway);
    assert!(upstream.requests().iter().all(|received| received.message.target() != "/x" || !received.whole));
}

#[test]
fn a_gateway_that_stops_says_goodbye() {
    let upstream = Upstream::start();
    let mut gateway = h2c(&upstream, json!({ "process": { "grace": "5s" } }));
    let mut client = open(&gateway);
    client.get(1, "/x", &[]).unwrap();
    assert_eq!(client.outcome(1), Outcome::Answered(200));
    gateway.signal("TERM");
    assert!(matches!(client.outcome(3), Outcome::GoAway(0)));
    drop(client);
    assert_eq!(gateway.wait(), 0);
}
