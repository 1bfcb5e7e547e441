//! Frames of HTTP/2 that ask for nothing: who sends them without end is cut off, and who uses the protocol as it is meant never is.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Settings, Upstream,
    client::Client,
    h2::{self, H2, Outcome},
    until,
};

/// Most frames of one flood.
const FRAMES: usize = 200_000;
/// Most memory that a flood may make the gateway take, in MiB.
const GROWTH: u64 = 64;
const COUNTER: &str = "tollgate_limits_total{limit=\"h2_control_frames\"}";

fn gateway(upstream: &Upstream, limits: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings { h2c: true, config: json!({ "limits": limits }), tls: None })
}

fn open(gateway: &Gateway) -> H2 {
    H2::start(Client::connect(gateway.ports.h2c)).unwrap()
}

/// What is sent for a stream.
type Attack<'a> = &'a dyn Fn(u32) -> Vec<u8>;

fn request(stream: u32, method: &str, flags: u8) -> Vec<u8> {
    let block = h2::block(&[(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", "/x")]);
    h2::frame(h2::HEADERS, flags, stream, &block)
}

/// Name, what comes before it, and the frame that is sent again and again.
fn floods() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let post = request(1, "POST", h2::END_HEADERS);
    let get = request(1, "GET", h2::END_HEADERS | h2::END_STREAM);
    let no = Vec::new;
    vec![
        ("PRIORITY", no(), h2::frame(2, 0, 1, &[0, 0, 0, 3, 7])),
        ("PRIORITY of streams to come", no(), h2::frame(2, 0, 0x1001, &[0, 0, 0, 0, 7])),
        ("PING", no(), h2::frame(h2::PING, 0, 0, &[7; 8])),
        ("answers to PING", no(), h2::frame(h2::PING, 1, 0, &[7; 8])),
        ("SETTINGS", no(), h2::frame(h2::SETTINGS, 0, 0, &[])),
        ("SETTINGS of windows", post.clone(), h2::frame(h2::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        ("WINDOW_UPDATE", no(), h2::frame(h2::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("WINDOW_UPDATE of a stream", post.clone(), h2::frame(h2::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        (
            "RST_STREAM of a stream that is over",
            [get, h2::frame(h2::RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat(),
            h2::frame(h2::RST_STREAM, 0, 1, &[0, 0, 0, 8]),
        ),
        ("DATA without data", post.clone(), h2::frame(h2::DATA, 0, 1, &[])),
        ("DATA that is padding", post, h2::frame(h2::DATA, 8, 1, &[3, 0, 0, 0])),
        ("CONTINUATION without end", request(1, "GET", h2::END_STREAM), h2::frame(h2::CONTINUATION, 0, 1, &[])),
        ("PRIORITY_UPDATE", no(), h2::frame(0x10, 0, 0, &[0, 0, 0, 1, b'u', b'=', b'1'])),
        ("frames that nobody knows", no(), h2::frame(0xbe, 0, 0, &[7; 3])),
        ("large frames that nobody knows", no(), h2::frame(0xbe, 0, 0, &[7; 1000])),
    ]
}

/// Sends frames until the gateway hangs up, and takes all that comes back. How many were sent, unless it never did.
fn send(client: &mut H2, mut next: impl FnMut(usize) -> Vec<u8>) -> Option<usize> {
    let is_silence = |error: &std::io::Error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
    for batch in 0..FRAMES / 1000 {
        let bytes: Vec<u8> = (0..1000).flat_map(|n| next(batch * 1000 + n)).collect();
        match client.send_raw(&bytes).and_then(|()| client.discard()) {
            Ok(()) => {}
            Err(error) => return (!is_silence(&error)).then_some((batch + 1) * 1000),
        }
    }
    None
}

#[test]
fn every_flood_of_frames_ends_its_connection_and_takes_no_memory() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({}));
    let mut other = open(&gateway);
    other.get(1, "/x", &[]).unwrap();
    assert_eq!(other.outcome(1), Outcome::Answered(200));
    let before = gateway.memory();
    for (n, (name, opening, frame)) in floods().into_iter().enumerate() {
        let mut client = open(&gateway);
        client.send_raw(&opening).unwrap();
        assert!(send(&mut client, |_| frame.clone()).is_some(), "{name}: the connection goes on");
        other.get(3 + 2 * n as u32, "/x", &[]).unwrap();
        assert_eq!(other.outcome(3 + 2 * n as u32), Outcome::Answered(200), "after {name}");
    }
    let after = gateway.memory();
    assert!(after < before + GROWTH, "{before} MiB became {after} MiB");
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
    // Those that the library ends by itself are few.
    assert!(gateway.metric(COUNTER) >= Some(10.0), "{:?}", gateway.metric(COUNTER));
}

#[test]
fn requests_that_are_called_off_without_end_end_their_connection() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(5), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = gateway(&upstream, json!({ "requests_per_connection": 1_000_000 }));
    let mut client = open(&gateway);
    let sent = send(&mut client, |n| {
        let stream = 1 + 2 * n as u32;
        [request(stream, "GET", h2::END_HEADERS | h2::END_STREAM), h2::frame(h2::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    });
    assert!(sent.is_some_and(|sent| sent < 10_000), "{sent:?} requests were called off");
    assert_eq!(gateway.get("/others").status(), 200);
}

/// The gateway resets each of them itself (CVE-2025-8671).
#[test]
fn streams_that_make_the_gateway_reset_them_end_their_connection() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "requests_per_connection": 1_000_000 }));
    let block = h2::block(&[(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", "/x"), ("X-Upper", "1")]);
    let malformed = |stream| h2::frame(h2::HEADERS, h2::END_HEADERS | h2::END_STREAM, stream, &block);
    let update =
        |stream, by: u32| [request(stream, "POST", h2::END_HEADERS), h2::frame(h2::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())].concat();
    let dependent = |stream: u32| {
        [request(stream, "POST", h2::END_HEADERS), h2::frame(2, 0, stream, &[&stream.to_be_bytes()[..], &[7]].concat())].concat()
    };
    let late = |stream| [request(stream, "GET", h2::END_HEADERS | h2::END_STREAM), h2::frame(h2::DATA, 0, stream, b"late")].concat();
    let attacks: [(&str, Attack); 5] = [
        ("a name with a capital", &malformed),
        ("a window opened by nothing", &|stream| update(stream, 0)),
        ("a window opened beyond measure", &|stream| update(stream, 0x7fff_ffff)),
        ("a stream that depends on itself", &dependent),
        ("data after the end", &late),
    ];
    for (name, attack) in attacks {
        let sent = send(&mut open(&gateway), |n| attack(1 + 2 * n as u32));
        assert!(sent.is_some_and(|sent| sent < 20_000), "{name}: {sent:?} streams");
        assert_eq!(gateway.get("/others").status(), 200, "after {name}");
    }
}

#[test]
fn streams_that_are_refused_without_end_end_their_connection() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(5), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = gateway(&upstream, json!({ "h2_streams": 2, "requests_per_connection": 1_000_000 }));
    let mut client = open(&gateway);
    let sent = send(&mut client, |n| request(1 + 2 * n as u32, "GET", h2::END_HEADERS | h2::END_STREAM));
    assert!(sent.is_some_and(|sent| sent < 10_000), "{sent:?} streams were refused");
}

#[test]
fn a_client_that_is_cut_off_is_told_to_be_calm_and_the_operator_once_a_connection() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "h2_control_frames": 100, "h2_streams": 10 }));
    for n in 1..=3 {
        let mut client = open(&gateway);
        client.send_raw(&h2::frame(h2::PING, 0, 0, &[7; 8]).repeat(150)).unwrap();
        assert_eq!(client.outcome(1), Outcome::GoAway(11));
        assert_eq!(client.outcome(1), Outcome::Closed);
        gateway.metric_reaches(COUNTER, f64::from(n));
    }
    let told = || gateway.stderr().matches("127.0.0.1 sent more control frames than limits.h2_control_frames").count();
    until("the lines of the process log", || (told() >= 3).then_some(()));
    assert_eq!(told(), 3, "{}", gateway.stderr());
}

#[test]
fn a_client_that_uses_http2_as_it_is_meant_is_never_cut_off() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/large" => Reply::new(200, vec![b'x'; 8 << 20]),
        "/slow" => Reply::raw("").then(Duration::from_millis(500), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        _ => Reply::new(200, "x"),
    });
    let gateway = gateway(&upstream, json!({}));
    let mut client = open(&gateway);
    // As a browser begins: settings, a large window, a tree of priorities.
    client.send(h2::SETTINGS, 0, 0, &[0, 4, 0, 2, 0, 0]).unwrap();
    client.send(h2::WINDOW_UPDATE, 0, 0, &[0, 0xbf, 0, 1]).unwrap();
    for stream in [3, 5, 7, 9, 11] {
        client.send(2, 0, stream, &[0, 0, 0, 0, 200]).unwrap();
    }
    // A large answer, each piece of which opens both windows anew.
    client.get(13, "/large", &[]).unwrap();
    assert_eq!(client.outcome(13), Outcome::Answered(200));
    // Many small ones, each with its priority and a measurement of the way.
    for n in 0..2000_u32 {
        let stream = 15 + 2 * n;
        client.send(0x10, 0, 0, &[&stream.to_be_bytes()[..], b"u=1"].concat()).unwrap();
        client.get(stream, "/small", &[]).unwrap();
        client.send(h2::PING, 0, 0, &[1; 8]).unwrap();
        assert_eq!(client.outcome(stream), Outcome::Answered(200), "request {n}");
    }
    // All that a page has under way is called off.
    for n in 0..50_u32 {
        client.get(10_001 + 2 * n, "/slow", &[]).unwrap();
    }
    // The library has a limit of its own for streams that are reset before it has handed them over.
    until("the page's requests upstream", || (upstream.count() == 2051).then_some(()));
    for n in 0..50_u32 {
        client.send(h2::RST_STREAM, 0, 10_001 + 2 * n, &[0, 0, 0, 8]).unwrap();
    }
    client.get(20_001, "/small", &[]).unwrap();
    assert_eq!(client.outcome(20_001), Outcome::Answered(200));
    assert_eq!(gateway.metric(COUNTER), Some(0.0));
}
