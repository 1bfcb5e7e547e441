//! Upstreams that never come to an end: the client is told so in time, and whoever is merely slow is waited for.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use crate::targets::acceptor;
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::Authority,
    client::{Client, request},
    command::tollgate,
    h2::H2,
    h2_upstream::H2Upstream,
    ports::free_port,
    project::{artifact, open_api, operation},
};

const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal";

/// What ends in time ends far sooner, and what does not, lasts far longer.
const IN_TIME: Duration = Duration::from_secs(15);

fn over(upstream: &Upstream, limits: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings { h2c: true, ..Settings::of(json!({ "upstream": limits })) })
}

/// An upstream that sends these pieces, each after the pause.
fn dripping(first: &str, pieces: impl Iterator<Item = Vec<u8>>, pause: Duration) -> Upstream {
    let reply = pieces.fold(Reply::raw(first), |reply, piece| reply.then(pause, piece));
    Upstream::answering(move |_| reply.clone())
}

fn all(gateway: &Gateway, request: &str) -> String {
    let mut client = gateway.connect();
    client.write(request).unwrap();
    String::from_utf8_lossy(&client.rest()).into_owned()
}

/// The last line of the log.
fn reason(gateway: &Gateway) -> String {
    gateway.log_of(1).last().unwrap()["reason"].as_str().unwrap_or_default().to_owned()
}

/// A byte at a time.
fn bytes(text: &str) -> impl Iterator<Item = Vec<u8>> {
    text.as_bytes().iter().map(|byte| vec![*byte]).collect::<Vec<_>>().into_iter()
}

#[test]
fn interim_answers_are_limited_in_number() {
    let flood = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(100_000);
    let upstream = Upstream::answering(move |_| Reply::raw([&flood, OK].concat()));
    let gateway = over(&upstream, json!({}));
    let answer = all(&gateway, GET);
    assert!(answer.matches(" 103 ").count() <= 16, "{} interim answers", answer.matches(" 103 ").count());
    assert!(answer.contains("HTTP/1.1 502 ") && answer.contains("upstream.interim"), "{}", &answer[answer.len().saturating_sub(500)..]);
    assert_eq!(reason(&gateway), "upstream.interim");
}

#[test]
fn as_many_interim_answers_as_servers_send_are_passed_on() {
    let some = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n".repeat(16);
    let upstream = Upstream::answering(move |_| Reply::raw([&some, OK].concat()));
    let answer = all(&over(&upstream, json!({})), GET);
    assert!(answer.matches(" 103 ").count() == 16 && answer.ends_with("final"), "{answer}");
}

#[test]
fn interim_answers_do_not_prolong_the_time_for_the_final_one() {
    let interim = std::iter::repeat_n(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), 15);
    let upstream = dripping("", interim, Duration::from_secs(2));
    let gateway = over(&upstream, json!({ "read_timeout": "3s", "response_header_timeout": "3s" }));
    let begun = Instant::now();
    let post = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    let answer = all(&gateway, post);
    assert!(answer.contains("HTTP/1.1 504 ") && answer.contains("upstream.header_timeout"), "{answer}");
    assert!(begun.elapsed() < IN_TIME, "it took {:?}", begun.elapsed());
    assert_eq!(gateway.metric("tollgate_upstream_failures_total{kind=\"timeout\"}"), Some(1.0));
}

#[test]
fn a_head_that_drips_is_not_waited_for() {
    let head = format!("HTTP/1.1 200 OK\r\nX-Drip: {}\r\n\r\n", "x".repeat(200));
    let upstream = dripping("", bytes(&head), Duration::from_millis(300));
    for limits in [json!({ "read_timeout": "1s" }), json!({ "response_header_timeout": "1s" })] {
        let gateway = over(&upstream, limits.clone());
        let begun = Instant::now();
        let answer = all(&gateway, GET);
        assert!(answer.contains("HTTP/1.1 504 ") && answer.contains("upstream.header_timeout"), "{limits}: {answer}");
        assert!(begun.elapsed() < IN_TIME, "{limits}: it took {:?}", begun.elapsed());
        let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
        client.get(1, "/x", &[]).unwrap();
        client.outcome(1);
        assert!(gateway.log_of(2).iter().all(|line| line["status"] == 504), "{limits}: over HTTP/2 as well");
    }
}

#[test]
fn an_encrypted_upstream_has_no_more_time_than_others() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let identity = authority.issue("upstream", 2, &["localhost"]);
    let head = format!("HTTP/1.1 200 OK\r\nX-Drip: {}\r\n\r\n", "x".repeat(200));
    let drips = bytes(&head).fold(Reply::raw(""), |reply, byte| reply.then(Duration::from_millis(300), byte));
    let stands_still = Reply::raw("HTTP/1.1 200 OK\r\n\r\nx").then(Duration::from_secs(60), "x");
    let upstream = Upstream::tls(acceptor(&identity), move |request| match request.target() {
        "/drips" => drips.clone(),
        _ => stands_still.clone(),
    });
    let limits = json!({ "ca": authority.write(&folder, "ca.pem"), "http": "1", "response_header_timeout": "2s", "request_timeout": "4s" });
    let gateway = Gateway::over(&upstream.https("localhost"), Settings::of(json!({ "upstream": limits })));
    let begun = Instant::now();
    let answer = gateway.get("/drips");
    assert!(answer.status() == 504 && answer.text().contains("upstream.header_timeout"), "{}", answer.text());
    let mut client = gateway.connect();
    client.write(request("GET", "/stands-still", &[], b"")).unwrap();
    assert!(client.answer("GET").is_err());
    assert!(begun.elapsed() < IN_TIME, "it took {:?}", begun.elapsed());
}

#[test]
fn an_answer_that_goes_on_for_ever_ends_incomplete_when_the_time_for_the_whole_is_over() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nx";
    let (often, never) = (Duration::from_millis(200), Duration::from_secs(60));
    let chunk = || std::iter::repeat_n(b"1\r\nx\r\n".to_vec(), 300);
    for (head, pause, what) in [
        (chunked, often, "chunks that drip"),
        (chunked, never, "silence among chunks"),
        (until_close, often, "a body without a length that drips"),
        (until_close, never, "a body without a length that stands still"),
    ] {
        let upstream = dripping(head, chunk(), pause);
        let gateway = over(&upstream, json!({ "request_timeout": "1s" }));
        let mut client = gateway.connect();
        let begun = Instant::now();
        client.write(GET.replace("Connection: close\r\n", "")).unwrap();
        let answer = client.answer("GET");
        assert!(answer.is_err(), "{what}: it looks whole: {answer:?}");
        assert!(begun.elapsed() < IN_TIME, "{what}: it took {:?}", begun.elapsed());
        assert_eq!(reason(&gateway), "upstream.request_timeout", "{what}");
    }
}

#[test]
fn an_answer_over_http2_ends_when_the_time_for_the_whole_is_over() {
    let upstream = H2Upstream::dripping(Duration::from_millis(200));
    let limits = json!({ "upstream": { "request_timeout": "1s", "http": "2" } });
    let gateway = Gateway::over(&format!("http://127.0.0.1:{}", upstream.port), Settings::of(limits));
    let begun = Instant::now();
    let mut client = gateway.connect();
    client.write(GET).unwrap();
    assert!(client.answer("GET").is_err());
    assert!(begun.elapsed() < IN_TIME, "it took {:?}", begun.elapsed());
    assert_eq!(reason(&gateway), "upstream.request_timeout");
}

#[test]
fn further_attempts_share_the_time_for_the_whole() {
    let slow = || Upstream::answering(|_| Reply::raw("").then(Duration::from_millis(700), "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"));
    let upstreams = [slow(), slow(), slow(), slow(), slow(), slow()];
    let mut definition = open_api("/", "http://unused.invalid", json!({ "/*": { "get": operation() } }));
    definition["x-wso2-production-endpoints"] =
        json!({ "urls": upstreams.iter().map(Upstream::url).collect::<Vec<_>>(), "type": "failover" });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "upstream": { "request_timeout": "1s" } })));
    let answer = gateway.get("/x");
    assert_eq!(answer.status(), 504);
    assert!(answer.text().contains("upstream.request_timeout"), "{}", answer.text());
    assert!(upstreams.iter().map(Upstream::count).sum::<usize>() <= 3);
}

#[test]
fn what_is_slow_and_goes_on_is_waited_for() {
    let chunks = std::iter::repeat_n(b"1\r\nx\r\n".to_vec(), 8).chain([b"0\r\n\r\n".to_vec()]);
    let upstream = dripping("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, Duration::from_millis(400));
    let gateway = over(&upstream, json!({ "read_timeout": "2s", "response_header_timeout": "2s" }));
    assert_eq!(gateway.get("/x").text(), "xxxxxxxx");
}

#[test]
fn a_body_that_is_sent_slowly_does_not_use_up_the_time_for_the_answer() {
    let upstream = Upstream::start();
    let gateway = over(&upstream, json!({ "read_timeout": "2s", "response_header_timeout": "2s" }));
    let mut client = gateway.connect();
    client.write("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n").unwrap();
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(500));
        client.write("x").unwrap();
    }
    assert_eq!(client.answer("POST").unwrap().status(), 200);
}

#[test]
fn a_tunnel_outlives_the_time_for_the_whole() {
    let upstream =
        Upstream::answering(|_| Reply::raw("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").echo());
    let gateway = over(&upstream, json!({ "request_timeout": "1s", "response_header_timeout": "1s", "read_timeout": "1m", "http": "1" }));
    let mut client = gateway.connect();
    client.write(request("GET", "/x", &["Connection: Upgrade", "Upgrade: websocket"], b"")).unwrap();
    assert_eq!(client.head().unwrap().status(), 101);
    std::thread::sleep(Duration::from_secs(2));
    client.write("still").unwrap();
    let mut echoed = [0; 5];
    client.stream.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"still");
}

#[test]
fn a_kept_connection_is_not_cut_for_an_exchange_that_is_over() {
    let upstream = Upstream::start();
    let gateway = over(&upstream, json!({ "read_timeout": "500ms", "response_header_timeout": "500ms", "request_timeout": "800ms" }));
    for _ in 0..3 {
        assert_eq!(gateway.get("/x").status(), 200);
        std::thread::sleep(Duration::from_millis(1_200));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_group_has_times_of_its_own_and_0s_lifts_the_limit() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(3), OK));
    let mut definition = open_api("/", &upstream.url(), json!({ "/*": { "get": operation() } }));
    definition["x-wso2-production-endpoints"] = json!({ "urls": [upstream.url()], "type": "http" });
    let status = |own: Value| {
        let settings = json!({ "upstream": { "request_timeout": "1s" }, "endpoints": { "*": own } });
        Gateway::serving(&definition, Settings::of(settings)).get("/x").status()
    };
    assert_eq!(status(json!({})), 504);
    assert_eq!(status(json!({ "request_timeout": "0s" })), 200);
    assert_eq!(status(json!({ "request_timeout": "0s", "response_header_timeout": "1s" })), 504);
}

#[test]
fn a_time_that_would_not_be_kept_over_http2_stops_the_start() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let url = format!("https://localhost:{}", free_port());
    let artifact = artifact(&folder, &open_api("/", &url, json!({ "/a": { "get": operation() } })));
    let judge = |upstream: Value| {
        let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "upstream": upstream });
        let config = folder.write("gateway.yaml", config.to_string());
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    };
    let refused = judge(json!({ "ca": ca, "response_header_timeout": "1s" }));
    assert!(refused.code != 0 && refused.stderr.contains("response_header_timeout"), "{refused:?}");
    judge(json!({ "ca": ca, "response_header_timeout": "1s", "http": "1" })).ok();
    judge(json!({ "ca": ca, "response_header_timeout": "1s", "read_timeout": "1s" })).ok();
}
