//! What an attempt leaves behind for the next one and for other requests: nothing, whether it failed or its client left.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Gateway, Reply, Settings, Upstream,
    h2_upstream::H2Upstream,
    project::{everything, open_api},
    until,
};

use crate::endpoints::{Blackhole, gateway};

/// A gateway over a group `pets` of these URLs, with these settings of the group and of the gateway.
fn gateway_with(urls: &[String], pets: Value, more: Value) -> Gateway {
    let mut definition = open_api("/a", "", everything());
    definition["x-wso2-endpoints"] = json!([{ "pets": { "urls": urls } }]);
    definition["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/pets".into();
    let mut settings = json!({ "endpoints": { "pets": pets } });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gateway::serving(&definition, Settings::of(settings))
}

#[test]
fn a_body_that_is_sent_again_counts_once_against_its_limit() {
    let next = AtomicUsize::new(0);
    let upstream = Upstream::answering(move |_| if next.fetch_add(1, SeqCst) < 2 { Reply::new(503, "no") } else { Reply::new(200, "ok") });
    let retry = json!({ "count": 2, "statuses": [503], "interval": "1ms" });
    let gateway = gateway_with(&[upstream.url()], json!({ "retry": retry }), json!({ "limits": { "body_bytes": "48KiB" } }));
    let body = vec![b'x'; 40 << 10];
    let answer = gateway.send("PUT", "/a/x", &[], &body);
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
    assert!(upstream.requests().iter().all(|request| request.message.body == body) && upstream.count() == 3);
    assert_eq!(gateway.log_of(1)[0]["bytes_in"], 40 << 10);
}

/// Reads a head and so many bytes of a body.
fn read(stream: &mut TcpStream, body: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = seen.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.filter(|end| seen.len() >= end + 4 + body) {
            return seen.split_off(end + 4);
        }
        match stream.read(&mut piece) {
            Ok(n @ 1..) => seen.extend_from_slice(&piece[..n]),
            _ => return seen,
        }
    }
}

#[test]
fn a_copy_of_a_request_that_broke_off_in_the_middle_of_its_body_has_that_body_once() {
    let mirror = Upstream::answering(|_| Reply::new(200, "mirror"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (broken, is_broken) = mpsc::channel();
    let upstream = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        assert_eq!(read(&mut first, 5), b"first");
        first.shutdown(Shutdown::Both).unwrap();
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        assert_eq!(read(&mut second, 5), b"first");
        broken.send(()).unwrap();
        assert_eq!(read_rest(&mut second, 6), b"second");
        second.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    let settings = json!({ "retry": { "count": 1, "interval": "1ms" }, "mirror": { "production": [mirror.url()] } });
    let gateway = gateway(&[format!("http://{address}")], settings);
    let mut client = gateway.connect();
    client.write("PUT /a/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\nfirst").unwrap();
    is_broken.recv_timeout(Duration::from_secs(20)).unwrap();
    client.write("second").unwrap();
    assert_eq!(client.answer("PUT").unwrap().text(), "ok");
    upstream.join().unwrap();
    assert_eq!(mirror.only().body, b"firstsecond");
}

fn read_rest(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).unwrap();
    rest
}

#[test]
fn waiting_for_room_counts_as_time_of_the_exchange() {
    let upstream = Upstream::answering(|request| match request.field("upgrade") {
        Some(_) => Reply::raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").echo(),
        None => Reply::new(200, "ok"),
    });
    let capacity = json!({ "requests": 1, "pending": 9, "wait": "1m" });
    let gateway = gateway_with(&[upstream.url()], json!({ "capacity": capacity }), json!({ "upstream": { "request_timeout": "500ms" } }));
    // A tunnel has no end, and keeps its room.
    let mut tunnel = gateway.connect();
    tunnel.write("GET /a/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").unwrap();
    assert_eq!(tunnel.head().unwrap().status(), 101);
    let begun = Instant::now();
    let answer = gateway.get("/a/x");
    assert_eq!(answer.status(), 504, "{}", answer.text());
    assert!(answer.text().contains("upstream.request_timeout") && begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    drop(tunnel);
    until("the tunnel to leave its room", || (gateway.get("/a/x").status() == 200).then_some(()));
}

#[test]
fn an_answer_is_passed_on_rather_than_a_retry_that_would_come_too_late() {
    let busy = Upstream::answering(|_| Reply::with(503, &["Retry-After: 2"], "later"));
    let retry = json!({ "count": 1, "statuses": [503], "longest": "5s" });
    let gateway = gateway_with(&[busy.url()], json!({ "retry": retry }), json!({ "upstream": { "request_timeout": "1s" } }));
    let answer = gateway.get("/a/x");
    assert_eq!((answer.status(), answer.text().as_str(), busy.count()), (503, "later", 1));
}

#[test]
fn the_answer_that_opens_a_circuit_breaker_is_passed_on_although_it_might_be_tried_again() {
    let failing = Upstream::answering(|_| Reply::new(500, "mine"));
    let breaker = json!({ "requests": 1, "threshold": 0.2, "reset": "1m" });
    let gateway = gateway(&[failing.url()], json!({ "circuit_breaker": breaker, "retry": { "count": 3, "statuses": [500] } }));
    let answer = gateway.get("/a/x");
    assert_eq!((answer.status(), answer.text().as_str(), failing.count()), (500, "mine", 1));
}

#[test]
fn an_http_check_asks_a_server_that_speaks_http2_alone() {
    let (one, two) = (H2Upstream::start(None), H2Upstream::start(None));
    let urls = [one.port, two.port].map(|port| format!("http://127.0.0.1:{port}"));
    let check = json!({ "probe": { "http": { "path": "/health", "body": "over h2" } }, "interval": "100ms", "timeout": "2s" });
    let gateway = gateway(&urls, json!({ "http": "2", "check": check }));
    until("a few checks", || (one.streams() > 3 && two.streams() > 3).then_some(()));
    let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
    assert_eq!([&page[0]["endpoints"][0]["ready"], &page[0]["endpoints"][1]["ready"]], [&json!(true); 2], "{page}");
}

/// Numbers that look as if drawn, the same in each run.
fn drawn(number: usize) -> u64 {
    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// A client that asks and leaves after a moment, wherever its request is then.
fn leaves(port: u16, number: usize) {
    let mut client = Client::connect(port);
    let asked = match number % 4 {
        0 => "GET /a/x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        1 => "POST /a/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
        2 => format!("PUT /a/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{}", "x".repeat(9000)),
        _ => "PUT /a/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_owned(),
    };
    client.write(asked).unwrap();
    client.patience(Duration::from_millis(1 + drawn(number) % 60));
    let _ = client.answer("GET");
}

#[test]
fn whenever_clients_leave_all_room_is_given_back_and_no_trial_is_lost() {
    let (healthy, next) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let state = healthy.clone();
    let upstream = Upstream::answering(move |_| {
        let number = next.fetch_add(1, SeqCst);
        if state.load(SeqCst) {
            return Reply::new(200, "ok");
        }
        let pause = Duration::from_millis(drawn(number) % 40);
        match number % 5 {
            0 => Reply::raw("").close(),
            1 => Reply::raw("").then(pause, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno"),
            2 => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok").then(pause, "ok"),
            3 => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok").close(),
            _ => Reply::raw("").then(pause, "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"),
        }
    });
    let hole = Blackhole::new();
    let pets = json!({
        "capacity": { "requests": 3, "pending": 8, "wait": "100ms" },
        "circuit_breaker": { "requests": 3, "threshold": 0.5, "reset": "50ms" },
        "retry": { "count": 2, "statuses": [503], "interval": "10ms" },
        "balance": { "strategy": "least_requests" },
        "eject": { "consecutive": 0 },
    });
    let gateway = gateway(&[upstream.url(), format!("{}/other", upstream.url()), format!("http://{}", hole.address)], pets);
    thread::scope(|scope| {
        for thread in 0..8 {
            let port = gateway.ports.plain;
            scope.spawn(move || (0..60).for_each(|number| leaves(port, thread * 60 + number)));
        }
    });
    healthy.store(true, SeqCst);
    let page = until("all room to be given back", || {
        let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
        let idle = page[0]["endpoints"].as_array()?.iter().all(|endpoint| endpoint["requests"] == 0);
        (idle && page[0]["waiting"] == 0).then_some(page)
    });
    assert_eq!(page[0]["endpoints"].as_array().unwrap().len(), 3);
    until("the circuit breakers to close", || {
        let well = (0..10).all(|_| gateway.get("/a/x").status() == 200);
        let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
        let ready = |place: usize| page[0]["endpoints"][place]["ready"] == true;
        (well && ready(0) && ready(1)).then_some(())
    });
}
