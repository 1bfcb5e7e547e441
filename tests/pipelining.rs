//! Requests that arrive before the answer to the one before them (RFC 9112 §9.3.2), and empty lines between them (§2.2).

use std::time::Duration;

use serde_json::json;
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, connector},
    client::{Client, request},
    ledger, until,
};

/// Answers with what it got, after a while.
fn slow() -> Upstream {
    Upstream::answering(|request| {
        let seen = format!("{} {}", request.start, request.text());
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{seen}", seen.len());
        Reply::raw("").then(Duration::from_millis(200), answer)
    })
}

fn chunked(target: &str, body: &str) -> Vec<u8> {
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    format!("{head}{:x}\r\n{body}\r\n0\r\nX-Sum: 1\r\n\r\n", body.len()).into_bytes()
}

#[test]
fn ten_requests_in_one_write_get_ten_answers_in_order_and_the_connection_is_kept() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let mut client = gateway.connect();
    let all: Vec<u8> = (0..10).flat_map(|n| request("GET", &format!("/{n}"), &[], b"")).collect();
    client.write(all).unwrap();
    for n in 0..10 {
        let answer = client.answer("GET").unwrap();
        assert_eq!((answer.status(), answer.text()), (200, format!("saw GET /{n} HTTP/1.1")));
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
    assert_eq!(client.ask("GET", "/after", &[], b"").unwrap().status(), 200);
    assert_eq!(upstream.count(), 11);
    ledger::compare(&gateway.log_of(11), &upstream);
}

#[test]
fn a_post_whose_upstream_is_at_work_is_answered_whatever_follows_it() {
    let upstream = slow();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let posts = [request("POST", "/x", &[], b"pay"), chunked("/x", "pay")];
    let next = String::from_utf8(request("GET", "/next", &[], b"")).unwrap();
    let followers = ["\r\n", "\r", "G", &next, &format!("\r\n{next}")];
    for (post, follower) in posts.iter().flat_map(|post| followers.iter().map(move |follower| (post, follower))) {
        for together in [true, false] {
            let mut client = gateway.connect();
            upstream.forget();
            let (first, second) = if together { ([&post[..], follower.as_bytes()].concat(), "") } else { (post.clone(), *follower) };
            client.write(first).unwrap();
            until("the upstream to have the request", || (upstream.count() == 1).then_some(()));
            client.write(second).unwrap();
            let answer = client.answer("POST").unwrap();
            assert_eq!((answer.status(), answer.text()), (200, "POST /x HTTP/1.1 pay".into()), "{follower:?}, together: {together}");
            let rest = next.strip_prefix(follower.trim_start()).unwrap_or_default();
            if *follower != "\r" {
                client.write(if follower.ends_with(&next) { "" } else { rest }).unwrap();
                assert_eq!(client.answer("GET").unwrap().text(), "GET /next HTTP/1.1 ", "{follower:?}, together: {together}");
            }
        }
    }
}

#[test]
fn what_follows_a_body_is_the_next_request_and_not_a_byte_is_lost() {
    let upstream = Upstream::answering(|request| Reply::new(200, &request.body));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let mut client = gateway.connect();
    let large: String = (0..100_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let bodies = ["", "one", &large, "four"];
    let all: Vec<u8> = bodies.iter().flat_map(|body| [request("POST", "/x", &[], body.as_bytes()), chunked("/x", body)].concat()).collect();
    // An empty chunk would be the last one.
    let all = String::from_utf8(all).unwrap().replace("\r\n\r\n0\r\n\r\n0\r\n", "\r\n\r\n0\r\n");
    let mut writer = client.stream.get_ref().tcp().try_clone().unwrap();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, all.as_bytes()));
    for body in bodies.iter().flat_map(|body| [body, body]) {
        assert!(client.answer("POST").unwrap().text() == **body, "a body of {} bytes came back as another", body.len());
    }
    writing.join().unwrap().unwrap();
    assert_eq!(upstream.count(), 8);
}

#[test]
fn pipelined_requests_over_tls_are_answered_in_order() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let tls = Some(json!({ "certificate": certificate, "key": key }));
    let gateway = Gateway::over(&upstream.url(), Settings { tls, ..Settings::default() });
    let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"", None)).unwrap();
    client.write((0..10).flat_map(|n| request("GET", &format!("/{n}"), &[], b"")).collect::<Vec<u8>>()).unwrap();
    for n in 0..10 {
        assert_eq!(client.answer("GET").unwrap().text(), format!("saw GET /{n} HTTP/1.1"));
    }
}

#[test]
fn pipelined_requests_count_like_all_others() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "limits": { "requests_per_connection": 3 } })));
    let mut client = gateway.connect();
    client.write(request("GET", "/x", &[], b"").repeat(5)).unwrap();
    for connection in ["keep-alive", "keep-alive", "close"] {
        assert_eq!(client.answer("GET").unwrap().field("connection"), Some(connection));
    }
    assert!(client.is_closed());
    gateway.metric_reaches("tollgate_limits_total{limit=\"requests_per_connection\"}", 1.0);
    assert_eq!(upstream.count(), 3);
}

#[test]
fn nothing_is_answered_after_a_request_that_ends_the_connection() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let close = request("GET", "/x", &["Connection: close"], b"");
    let old = b"GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n".to_vec();
    let endless = b"POST /x HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".to_vec();
    for last in [close, old, endless] {
        upstream.forget();
        let mut client = gateway.connect();
        client.write([last, request("GET", "/next", &[], b"")].concat()).unwrap();
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.starts_with("HTTP/1.1 200") && rest.matches("HTTP/1.1 200").count() == 1, "{rest}");
        assert_eq!(upstream.count(), 1);
    }
}

#[test]
fn empty_lines_before_a_request_are_ignored_and_too_many_are_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let get = String::from_utf8(request("GET", "/x", &[], b"")).unwrap();
    for lines in [1, 4] {
        let mut client = gateway.connect();
        client.write(format!("{}{get}", "\r\n".repeat(lines)).repeat(2)).unwrap();
        for _ in 0..2 {
            assert_eq!(client.answer("GET").unwrap().status(), 200, "{lines} lines");
        }
    }
    upstream.forget();
    for start in ["\r\n".repeat(5), "\n".into(), "\r".into(), "\r\n\r".into()] {
        let mut client = gateway.connect();
        client.write(format!("{start}{get}")).unwrap();
        assert_eq!(client.answer("GET").unwrap().status(), 400, "{start:?}");
        assert!(client.is_closed());
    }
    assert_eq!(upstream.count(), 0);
    // Lines are written when exchanges end, which is not always the order in which they were answered.
    let refused = gateway.log_of(8).iter().filter(|line| line["reason"] == "request.framing").count();
    assert_eq!(refused, 4, "{:?}", gateway.log());
}

#[test]
fn an_empty_line_does_not_shorten_the_time_to_the_next_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "limits": { "header_time": "1s", "idle_time": "3s" } })));
    let mut client = gateway.connect();
    client.write([&request("POST", "/x", &[], b"pay")[..], b"\r\n"].concat()).unwrap();
    assert_eq!(client.answer("POST").unwrap().status(), 200);
    client.patience(Duration::from_secs(2));
    assert!(!client.is_closed(), "it was closed within its idle time");
    client.patience(Duration::from_secs(10));
    assert!(client.is_closed());
    gateway.metric_reaches("tollgate_limits_total{limit=\"idle_time\"}", 1.0);
}

#[test]
fn a_client_that_hangs_up_while_it_waits_is_noticed_after_an_empty_line_too() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(20), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for follower in ["", "\r\n"] {
        upstream.forget();
        let mut client = gateway.connect();
        client.write([&request("POST", "/x", &[], b"pay")[..], follower.as_bytes()].concat()).unwrap();
        until("the upstream to have the request", || (upstream.count() == 1).then_some(()));
        drop(client);
        until("the connection to be over", || gateway.metric("tollgate_connections").filter(|open| *open == 0.0));
    }
}

#[test]
fn a_client_that_sends_ahead_without_end_is_stopped_by_its_own_socket() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(3), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    assert_eq!(gateway.get("/warm").status(), 200);
    let before = gateway.memory();
    let client = gateway.connect();
    let mut stream = client.stream.get_ref().tcp().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let get = request("GET", "/x", &[], b"");
    let ahead = get.repeat((64 << 20) / get.len());
    assert!(std::io::Write::write_all(&mut stream, &ahead).is_err(), "64 MiB were taken before the first answer");
    let after = gateway.memory();
    assert!(after < before + 8, "{before} MiB became {after} MiB");
}

#[test]
fn bytes_of_a_tunnel_that_came_before_its_answer_are_not_lost() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let upstream = Upstream::answering(move |_| Reply::raw("").then(Duration::from_millis(300), switch).echo());
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let mut client = gateway.connect();
    let upgrade = request("GET", "/socket", &["Connection: Upgrade", "Upgrade: websocket"], b"");
    client.write([&upgrade[..], b"\r\nearly\0"].concat()).unwrap();
    assert_eq!(client.head().unwrap().status(), 101);
    client.write("\r\n\r\nlate").unwrap();
    let mut echoed = [0; 16];
    std::io::Read::read_exact(&mut client.stream, &mut echoed).unwrap();
    assert_eq!(&echoed, b"\r\nearly\0\r\n\r\nlate");
}
