//! A stop under way: whoever was let in is served, and nobody who says nothing holds the process for long.

use std::{
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Settings, Upstream,
    certificates::{Authority, connector},
    client::{Stream, request},
    h2::{H2, HEADERS},
};

/// How long kept connections may still be used. What is tried after it would have been too late for them.
const GOODBYE: Duration = Duration::from_secs(1);

fn over(upstream: &Upstream, config: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings { h2c: true, ..Settings::of(config) })
}

/// A connection that the gateway has accepted and that has said nothing.
fn silent(gateway: &Gateway, port: u16) -> TcpStream {
    let before = gateway.metric("tollgate_connections").unwrap();
    let stream = Client::connect(port).stream.into_inner();
    gateway.metric_reaches("tollgate_connections", before + 1.0);
    match stream {
        Stream::Plain(stream) => stream,
        Stream::Tls(_) => unreachable!("it was not encrypted"),
    }
}

fn plain(stream: TcpStream) -> Client {
    Client { stream: std::io::BufReader::new(Stream::Plain(stream)) }
}

/// Long enough for kept connections to be closed.
fn past_goodbye() {
    sleep(GOODBYE + GOODBYE / 2);
}

#[test]
fn a_connection_that_was_accepted_before_the_stop_is_served_after_it() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let tls = Some(json!({ "certificate": certificate, "key": key }));
    let settings = Settings { h2c: true, tls, ..Settings::of(json!({ "process": { "grace": "30s" } })) };
    let mut gateway = Gateway::over(&upstream.url(), settings);
    let ports = [gateway.ports.plain, gateway.ports.tls, gateway.ports.h2c];
    let [over_plain, over_tls, over_h2c] = ports.map(|port| silent(&gateway, port));
    gateway.signal("TERM");
    past_goodbye();

    let answer = plain(over_plain).ask("GET", "/x", &[], b"").unwrap();
    assert_eq!((answer.status(), answer.field("connection")), (200, Some("close")));

    let encrypted = connector(&authority, None, b"", None).connect("localhost", over_tls).unwrap();
    let mut encrypted = Client { stream: std::io::BufReader::new(Stream::Tls(Box::new(encrypted))) };
    let answer = encrypted.ask("GET", "/x", &[], b"").unwrap();
    assert_eq!((answer.status(), answer.field("connection")), (200, Some("close")));

    let mut h2 = H2::start(plain(over_h2c)).unwrap();
    h2.get(1, "/x", &[]).unwrap();
    // The farewell may come before the answer.
    let answer = std::iter::from_fn(|| h2.frame().ok()).find(|frame| frame.kind == HEADERS && frame.stream == 1);
    assert_eq!(answer.map(|frame| frame.status()), Some(200));
    drop(h2);
    assert_eq!(gateway.wait(), 0);
    assert_eq!(upstream.count(), 3);
}

#[test]
fn a_kept_connection_is_told_to_close_with_its_next_answer() {
    let upstream = Upstream::start();
    let mut gateway = over(&upstream, json!({}));
    let mut client = gateway.connect();
    assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    gateway.signal("TERM");
    let answer = client.ask("GET", "/x", &[], b"").unwrap();
    assert_eq!(answer.status(), 200);
    // The signal may come after the request; then the next one is told, or the connection ends in peace.
    if answer.field("connection") != Some("close") {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().field("connection"), Some("close"));
    }
    assert_eq!(gateway.wait(), 0);
}

#[test]
fn a_request_that_lies_unread_when_kept_connections_are_closed_is_answered() {
    let upstream = Upstream::start();
    let mut gateway = over(&upstream, json!({}));
    let mut clients: Vec<Client> = (0..20).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    }
    gateway.signal("TERM");
    sleep(GOODBYE / 3);
    // A machine so busy that the gateway gets no processor before its time is over.
    gateway.signal("STOP");
    for client in &mut clients {
        client.write(request("GET", "/x", &[], b"")).unwrap();
    }
    past_goodbye();
    gateway.signal("CONT");
    let answered = clients.iter_mut().filter_map(|client| client.answer("GET").ok()).filter(|answer| answer.status() == 200).count();
    assert_eq!(answered, 20);
    assert_eq!(gateway.wait(), 0);
}

#[test]
fn a_connection_that_the_system_let_in_before_the_stop_is_served() {
    let upstream = Upstream::start();
    let mut gateway = over(&upstream, json!({}));
    gateway.signal("STOP");
    let mut clients: Vec<Client> = (0..50).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write(request("GET", "/x", &[], b"")).unwrap();
    }
    gateway.signal("TERM");
    gateway.signal("CONT");
    let answered = clients.iter_mut().filter_map(|client| client.answer("GET").ok()).filter(|answer| answer.status() == 200).count();
    assert_eq!(answered, 50);
    drop(clients);
    assert_eq!(gateway.wait(), 0);
}

#[test]
fn whoever_says_nothing_holds_a_stop_no_longer_than_a_header_may_take() {
    let upstream = Upstream::start();
    let mut gateway = over(&upstream, json!({ "limits": { "header_time": "2s" }, "process": { "grace": "10m" } }));
    let _silent = [gateway.ports.plain, gateway.ports.h2c].map(|port| silent(&gateway, port));
    let mut kept = gateway.connect();
    assert_eq!(kept.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.wait(), 0);
    assert!(begun.elapsed() >= Duration::from_millis(1_900), "it took {:?}", begun.elapsed());
}
