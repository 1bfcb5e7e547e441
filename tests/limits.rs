//! What clients may spend: over a limit is refused, counted under the limit's name, and nothing goes upstream.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, connector},
    client::Client,
    h2::{self, H2, Outcome},
    ports::free_port,
    until,
};

fn limited(upstream: &Upstream, limits: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings::of(json!({ "limits": limits })))
}

fn counted(gateway: &Gateway, limit: &str) {
    gateway.metric_reaches(&format!("tollgate_limits_total{{limit=\"{limit}\"}}"), 1.0);
}

#[test]
fn too_many_bytes_of_header_are_431() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "header_bytes": "1KiB" }));
    assert_eq!(gateway.send("GET", "/x", &[&format!("X: {}", "a".repeat(800))], b"").status(), 200);
    assert_eq!(gateway.send("GET", "/x", &[&format!("X: {}", "a".repeat(1100))], b"").status(), 431);
    counted(&gateway, "header_bytes");
    assert_eq!(upstream.count(), 1);
}

#[test]
fn too_many_fields_are_431_and_crumbs_of_a_cookie_count_one_by_one() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "header_fields": 20 }));
    let fields: Vec<String> = (0..25).map(|n| format!("X-{n}: 1")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(gateway.send("GET", "/x", &fields[..15], b"").status(), 200);
    assert_eq!(gateway.send("GET", "/x", &fields, b"").status(), 431);
    let crumbs: String = (0..25).map(|n| format!("c{n}=1; ")).collect();
    assert_eq!(gateway.send("GET", "/x", &[&format!("Cookie: {crumbs}")], b"").status(), 431);
    counted(&gateway, "header_fields");
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_long_target_is_414() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "target_bytes": "256B" }));
    assert_eq!(gateway.get(&format!("/{}", "a".repeat(200))).status(), 200);
    assert_eq!(gateway.get(&format!("/{}", "a".repeat(300))).status(), 414);
    assert_eq!(gateway.get(&format!("/x?{}", "a".repeat(300))).status(), 414);
    counted(&gateway, "target_bytes");
    assert_eq!(upstream.count(), 1);
}

#[test]
fn a_body_over_its_limit_is_413_whether_it_says_so_or_not() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "body_bytes": "10KiB" }));
    assert_eq!(gateway.send("POST", "/x", &[], &[b'a'; 10_240]).status(), 200);
    assert_eq!(gateway.send("POST", "/x", &[], &[b'a'; 10_241]).status(), 413);
    assert_eq!(upstream.count(), 1);
    let mut client = gateway.connect();
    let chunk = format!("1000\r\n{}\r\n", "a".repeat(0x1000));
    let _ = client.write(format!("POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(4)));
    let answer = client.answer("POST");
    assert!(answer.as_ref().map_or(true, |answer| answer.status() == 413), "{answer:?}");
    gateway.metric_reaches("tollgate_limits_total{limit=\"body_bytes\"}", 2.0);
    assert!(upstream.requests().iter().all(|received| received.message.body.len() <= 10_240));
}

#[test]
fn connections_over_a_limit_are_closed_and_existing_ones_go_on() {
    let upstream = Upstream::start();
    for limit in ["connections", "connections_per_client"] {
        let gateway = limited(&upstream, json!({ limit: 3 }));
        let mut kept: Vec<Client> = (0..3).map(|_| gateway.connect()).collect();
        for client in &mut kept {
            assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
        }
        assert!(gateway.connect().is_closed(), "{limit}");
        for client in &mut kept {
            assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200, "{limit}");
        }
        counted(&gateway, limit);
        kept.pop();
        until("a seat to be free again", || gateway.connect().ask("GET", "/x", &[], b"").ok());
    }
}

#[test]
fn a_listener_may_have_a_limit_of_its_own() {
    let upstream = Upstream::start();
    let port = free_port();
    let listener = json!({ "address": format!("127.0.0.1:{port}"), "connections": 2 });
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "listeners": [listener] })));
    let mut kept: Vec<Client> = (0..2).map(|_| Client::connect(port)).collect();
    for client in &mut kept {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    }
    assert!(Client::connect(port).is_closed());
    counted(&gateway, "connections");
    assert_eq!(gateway.get("/x").status(), 200);
    kept.pop();
    until("a seat to be free again", || Client::connect(port).ask("GET", "/x", &[], b"").ok());
}

/// 64 are kept back, and each connection may need a second one to an upstream.
#[test]
fn no_more_connections_are_accepted_than_the_open_files_carry() {
    let upstream = Upstream::start();
    let gateway = Gateway::with_open_files(&upstream.url(), 84);
    assert!(gateway.stderr().contains("84 open files carry only 10"), "{}", gateway.stderr());
    let mut kept: Vec<Client> = (0..10).map(|_| gateway.connect()).collect();
    for client in &mut kept {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    }
    assert!(gateway.connect().is_closed());
    counted(&gateway, "connections");
}

#[test]
fn a_handshake_that_never_comes_is_cut_off() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let config = json!({ "limits": { "handshake_time": "1s" } });
    let gateway =
        Gateway::over(&upstream.url(), Settings { tls: Some(json!({ "certificate": certificate, "key": key })), config, h2c: false });
    let begun = Instant::now();
    assert!(Client::connect(gateway.ports.tls).is_closed());
    assert!(begun.elapsed() < Duration::from_secs(5));
    counted(&gateway, "handshake_time");
    let mut good = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"", None)).unwrap();
    assert_eq!(good.ask("GET", "/x", &[], b"").unwrap().status(), 200);
}

#[test]
fn a_body_slower_than_its_pace_is_cut_off_after_its_grace() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "body_pace": "1KiB" }));
    let mut client = gateway.connect();
    client.patience(Duration::from_millis(200));
    client.write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n").unwrap();
    let begun = Instant::now();
    until("the slow body to be cut off", || (client.write("a").is_err() || client.is_closed()).then_some(()));
    assert!(begun.elapsed() > Duration::from_secs(8), "the grace was only {:?}", begun.elapsed());
    counted(&gateway, "body_pace");
}

#[test]
fn a_body_that_drips_over_http2_is_cut_off_after_its_grace() {
    let upstream = Upstream::start();
    let config = json!({ "limits": { "body_pace": "1KiB" } });
    let gateway = Gateway::over(&upstream.url(), Settings { h2c: true, config, tls: None });
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "localhost"), (":path", "/x")];
    client.headers(1, &fields, false).unwrap();
    client.patience(Duration::from_millis(200));
    let begun = Instant::now();
    until("the slow body to be cut off", || {
        let _ = client.send(h2::DATA, 0, 1, b"a");
        client.frame().ok().filter(|frame| frame.stream == 1 && matches!(frame.kind, h2::HEADERS | h2::RST_STREAM)).map(drop)
    });
    assert!(begun.elapsed() > Duration::from_secs(8), "the grace was only {:?}", begun.elapsed());
    counted(&gateway, "body_pace");
    client.get(3, "/x", &[]).unwrap();
    client.patience(Duration::from_secs(10));
    assert_eq!(client.outcome(3), Outcome::Answered(200));
}

#[test]
fn an_idle_connection_is_closed() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "idle_time": "1s" }));
    let mut client = gateway.connect();
    assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    let begun = Instant::now();
    assert!(client.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(6));
    counted(&gateway, "idle_time");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let upstream = Upstream::answering(|_| Reply::new(200, vec![b'x'; 64 << 20]));
    let gateway = limited(&upstream, json!({ "write_time": "1s" }));
    let mut client = gateway.connect();
    client.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    counted(&gateway, "write_time");
    assert!(client.rest().len() < 64 << 20);
}

#[test]
fn a_connection_has_only_so_many_requests() {
    let upstream = Upstream::start();
    let gateway = limited(&upstream, json!({ "requests_per_connection": 3 }));
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    }
    assert!(client.is_closed());
    counted(&gateway, "requests_per_connection");
    assert_eq!(upstream.count(), 3);
}

#[test]
fn an_http2_connection_has_only_so_many_streams() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(2), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = Gateway::over(&upstream.url(), Settings { h2c: true, config: json!({ "limits": { "h2_streams": 5 } }), tls: None });
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    for n in 0..40 {
        client.get(1 + 2 * n, "/x", &[]).unwrap();
    }
    let mut refused = 0;
    client.patience(Duration::from_secs(4));
    while let Ok(frame) = client.frame() {
        match frame.kind {
            h2::RST_STREAM => refused += 1,
            h2::GOAWAY => break,
            _ => {}
        }
    }
    assert!(refused > 0, "nothing was refused");
    gateway.metric_reaches("tollgate_limits_total{limit=\"h2_streams\"}", f64::from(refused));
    assert!(upstream.count() <= 10, "{} streams reached the upstream, {refused} were refused", upstream.count());
    let mut fresh = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    fresh.get(1, "/x", &[]).unwrap();
    assert_eq!(fresh.outcome(1), Outcome::Answered(200));
}

#[test]
fn a_connection_of_http2_that_has_had_its_requests_is_asked_to_go_and_loses_none() {
    let upstream = Upstream::start();
    let config = json!({ "limits": { "requests_per_connection": 3 } });
    let gateway = Gateway::over(&upstream.url(), Settings { h2c: true, config, tls: None });
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    for stream in [1, 3] {
        client.get(stream, "/x", &[]).unwrap();
        assert_eq!(client.outcome(stream), Outcome::Answered(200));
    }
    client.get(5, "/x", &[]).unwrap();
    let (mut answered, mut asked) = (false, false);
    while !(answered && asked) {
        let frame = client.frame().unwrap();
        asked |= frame.kind == h2::GOAWAY && frame.error() == 0;
        answered |= frame.stream == 5 && frame.ends_stream();
    }
    while client.frame().is_ok() {}
    counted(&gateway, "requests_per_connection");
    assert_eq!(upstream.count(), 3);
    let mut next = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    next.get(1, "/x", &[]).unwrap();
    assert_eq!(next.outcome(1), Outcome::Answered(200));
}
