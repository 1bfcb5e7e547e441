//! Limits that are settled when a request is over, end to end: requests at the same time, and bytes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Gateway, Reply, Settings, Upstream, client,
    h2::{H2, Outcome},
    project::{everything, open_api, operation},
    until,
};

/// An upstream that holds answers to requests with `hold` in them for as long as it is told to.
fn holding() -> (Upstream, Arc<AtomicBool>) {
    let holds = Arc::new(AtomicBool::new(true));
    let told = holds.clone();
    let upstream = Upstream::answering(move |request| {
        if request.start.contains("hold") {
            until("the end of the holding", || (!told.load(SeqCst)).then_some(()));
        }
        Reply::new(200, "done")
    });
    (upstream, holds)
}

fn throttle(policy: Value) -> Value {
    json!({ "throttle": { "policies": { "some": policy }, "limits": [{ "policy": "some", "key": ["api"] }] } })
}

#[test]
fn of_64_connections_exactly_as_many_requests_are_in_progress_as_the_limit_says() {
    let (upstream, holds) = holding();
    let config = json!({ "chain": [throttle(json!({ "concurrent": 10 }))] });
    let gateway = Gateway::serving(&open_api("/a", &upstream.url(), everything()), Settings::of(config));
    for round in 1..=2 {
        holds.store(true, SeqCst);
        let mut clients: Vec<Client> = (0..64).map(|_| gateway.connect()).collect();
        clients.iter_mut().for_each(|client| client.write(client::request("GET", "/a/hold", &[], b"")).unwrap());
        until("ten requests upstream", || (upstream.count() == 10 * round).then_some(()));
        gateway.metric_reaches("tollgate_throttle_over_total{policy=\"some\"}", 54.0 * round as f64);
        holds.store(false, SeqCst);
        let statuses: Vec<u16> = clients.iter_mut().map(|client| client.answer("GET").unwrap().status()).collect();
        let with = |status: u16| statuses.iter().filter(|one| **one == status).count();
        assert_eq!((with(200), with(429), upstream.count()), (10, 54, 10 * round));
        gateway.log_of(64 * round);
    }
}

#[test]
fn a_client_that_leaves_gives_back_what_its_request_had() {
    const RST_STREAM: u8 = 3;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let (upstream, _holds) = holding();
    let config = json!({ "chain": [throttle(json!({ "concurrent": 1 }))] });
    let definition = open_api("/a", &upstream.url(), everything());
    let gateway = Gateway::serving(&definition, Settings { h2c: true, ..Settings::of(config) });
    let held = |what: &str, count: usize| {
        until(what, || (upstream.requests().iter().filter(|one| one.message.start.contains("hold")).count() == count).then_some(()));
        assert_eq!(gateway.get("/a/x").status(), 429, "{what}");
    };
    let mut passed = 0;
    let mut free = |what: &str| {
        until(what, || (gateway.get("/a/x").status() == 200).then_some(()));
        // Its line is written when it is over itself, and has given back what it had.
        passed += 1;
        until("its end", || (gateway.log().iter().filter(|line| line["status"] == 200).count() == passed).then_some(()));
    };
    for round in 0..5 {
        let mut client = gateway.connect();
        client.write(client::request("GET", "/a/hold", &[], b"")).unwrap();
        held("a request over HTTP/1.1", 3 * round + 1);
        drop(client);
        free("the end of a connection");
        let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
        client.get(1, "/a/hold", &[]).unwrap();
        held("a request over HTTP/2", 3 * round + 2);
        client.send(RST_STREAM, 0, 1, &CANCEL).unwrap();
        free("the end of a stream");
        client.get(3, "/a/hold", &[]).unwrap();
        held("another over HTTP/2", 3 * round + 3);
        drop(client);
        free("the end of a connection with streams");
    }
}

#[test]
fn what_a_later_filter_refuses_and_what_no_endpoint_answers_is_not_in_progress() {
    let mut closed = operation();
    closed["requestBody"] = json!({ "content": { "application/json": {} } });
    // Nobody listens on port 9 of the loopback.
    let definition = open_api("/a", "http://127.0.0.1:9", json!({ "/x": { "post": closed } }));
    let config = json!({ "chain": [throttle(json!({ "concurrent": 1 })), "media_types"] });
    let gateway = Gateway::serving(&definition, Settings::of(config));
    for number in 0..6 {
        let (kind, status) = if number % 2 == 0 { ("text/plain", 415) } else { ("application/json", 502) };
        let answer = gateway.send("POST", "/a/x", &[&format!("Content-Type: {kind}")], b"{}");
        assert_eq!(answer.status(), status, "{}", answer.text());
        // The line is written when the request is over.
        gateway.log_of(number + 1);
    }
}

#[test]
fn bytes_of_both_bodies_count_when_a_request_is_over_and_stop_the_next() {
    let upstream = Upstream::answering(|_| Reply::new(200, [b'a'; 4000]));
    let definition = open_api("/a", &upstream.url(), everything());
    let config = json!({ "chain": [throttle(json!({ "bytes": "20KiB", "per": "365d" }))] });
    let gateway = Gateway::serving(&definition, Settings { h2c: true, ..Settings::of(config) });
    // A line is written when its request is over, and counted.
    let send = |request: &[u8], line: usize| {
        let mut client = gateway.connect();
        client.write(request).unwrap();
        let answer = client.answer("POST").unwrap();
        gateway.log_of(line);
        (answer.status(), answer.field("ratelimit").map(|field| field.split(";t").next().unwrap_or_default().to_owned()))
    };
    let left = |left: u64| Some(format!("\"some\";r={left}"));
    let chunked =
        [client::request("POST", "/a/x", &["Transfer-Encoding: chunked"], b""), b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec()].concat();
    let empty = client::request("POST", "/a/x", &["Content-Length: 0"], b"");
    assert_eq!(send(&client::request("POST", "/a/x", &[], &[b'a'; 3000]), 1), (200, left(20_480)));
    assert_eq!(send(&chunked, 2), (200, left(13_480)), "3000 of the first request, and 4000 of its answer");
    assert_eq!(send(&empty, 3), (200, left(9475)), "chunks count without their framing");
    let mut h2 = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    h2.get(1, "/a/x", &[]).unwrap();
    assert_eq!(h2.outcome(1), Outcome::Answered(200));
    gateway.log_of(4);
    assert_eq!(send(&empty, 5), (200, left(1475)), "those over HTTP/2 count too");
    assert_eq!(send(&empty, 6), (429, left(0)), "over by what was in progress when there was something left");
    assert_eq!(upstream.count(), 5);
}
