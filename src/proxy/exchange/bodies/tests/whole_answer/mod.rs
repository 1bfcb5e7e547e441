//! Every situation in which an answer may have to be read whole, over both versions.

mod filter;
mod streamed;
mod upstream;
mod world;

use std::{io::Write, net::TcpStream, sync::LazyLock};

use filter::ended;
use world::{Got, LIMIT, World};

use crate::proxy::exchange::served::head;

static WORLD: LazyLock<World> = LazyLock::new(|| World::new("", upstream::answer));

/// Asks over both versions, and looks at what each got.
fn each(method: &str, operation: &str, answer: &str, look: impl Fn(&Got, &str)) {
    let name = format!("{answer}-{operation}-{method}").replace(' ', "%20");
    for (got, version) in WORLD.both(method, &format!("/b/{operation}?{name}"), &[], b"").iter().zip(["1", "2"]) {
        assert!(!got.broken, "{name}-{version}: {got:?}");
        look(got, &format!("{name}-{version}"));
    }
}

/// What a client must get of an answer that was refused.
fn refused(method: &str, operation: &str, answer: &str, status: u16, reason: &'static str) {
    each(method, operation, answer, |got, name| {
        assert_eq!((got.status, got.reason().as_deref()), (status, Some(reason)), "{name}: {got:?}");
        assert!(got.field("x-upstream").is_none(), "{name}: a field of the upstream's answer came through");
        assert_eq!(got.field("x-after"), Some("yes"), "{name}");
        let outcome = ended(name);
        assert_eq!((outcome.status, outcome.reason), (status, Some(reason)), "{name}");
    });
}

#[test]
fn a_good_answer_goes_on_with_a_length_and_in_the_order_of_the_phases() {
    for (answer, status) in [("good", 201), ("chunked", 200), ("missing", 404), ("untyped", 200), ("trailers", 200), ("empty", 200)] {
        each("GET", "json", answer, |got, name| {
            assert_eq!(got.status, status, "{name}: {got:?}");
            let length = got.body.len().to_string();
            assert_eq!(got.field("content-length"), Some(length.as_str()), "{name}");
            assert_eq!((got.field("x-seen"), got.field("x-after")), (Some(length.as_str()), Some("yes")), "{name}");
            assert!(got.field("transfer-encoding").is_none() && got.field("trailer").is_none(), "{name}: {got:?}");
            assert_eq!(ended(name).status, status);
        });
    }
}

#[test]
fn nothing_of_a_bad_answer_reaches_the_client_and_the_connection_lives_on() {
    for answer in ["bad", "bad-large", "bad-chunked"] {
        refused("GET", "json", answer, 502, "reader.bad");
    }
    let mut stream = WORLD.connect();
    for name in ["bad-kept-a", "bad-kept-b", "bad-kept-c"] {
        let got = Got::over(&mut stream, "GET", &format!("/b/json?{name}"), &[], b"");
        assert_eq!(got.reason().as_deref(), Some("reader.bad"));
        assert_eq!(ended(name).status, 502);
    }
}

#[test]
fn a_filter_may_change_the_status_after_it_has_read_the_body() {
    each("GET", "json", "status 404", |got, name| {
        assert_eq!((got.status, got.text().as_str()), (404, "status 404"), "{name}");
        assert_eq!(ended(name).status, 404);
    });
    each("GET", "json", "status 204", |got, name| {
        assert_eq!((got.status, got.body.len(), got.field("content-length")), (204, 0, None), "{name}");
    });
}

#[test]
fn a_replaced_body_has_its_own_length_and_nothing_that_speaks_of_the_first() {
    for size in [0, 7, 300_000] {
        each("GET", "json", &format!("become {size}"), |got, name| {
            assert_eq!((got.status, got.body.len()), (200, size), "{name}");
            assert!(got.body.iter().all(|byte| *byte == b'x'));
            for field in ["etag", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"] {
                assert!(got.field(field).is_none(), "{name}: {field}");
            }
            assert_eq!(got.field("x-upstream"), Some("yes"), "{name}");
        });
    }
    each("GET", "json", "good", |got, name| assert_eq!(got.field("etag"), Some("\"e\""), "{name}"));
}

#[test]
fn a_filter_that_cannot_decide_is_a_503() {
    refused("GET", "json", "fault", 503, "chain.fault");
}

#[test]
fn an_answer_that_breaks_off_is_a_502_and_not_half_of_it() {
    for answer in ["cut", "cut-chunked", "cut-at-once"] {
        each("GET", "json", answer, |got, name| {
            assert_eq!(got.status, 502, "{name}: {got:?}");
            assert!(got.reason().is_some_and(|reason| reason.starts_with("upstream.")), "{name}: {got:?}");
            assert!(got.field("x-upstream").is_none(), "{name}");
            assert_eq!(ended(name).status, 502);
        });
    }
}

#[test]
fn an_answer_beyond_the_limit_is_refused_before_it_is_whole() {
    for answer in ["large", "large-chunked"] {
        refused("GET", "json", answer, 502, "answer.body_bytes");
    }
    for answer in ["limit", "limit-chunked"] {
        each("GET", "json", answer, |got, name| assert_eq!((got.status, got.body.len()), (200, LIMIT), "{name}"));
    }
}

#[test]
fn an_answer_that_the_filter_does_not_name_streams_past_it() {
    for (operation, answer) in [("json", "text"), ("json", "events"), ("json", "gzip-text"), ("ok", "missing"), ("json", "partial-text")] {
        each("GET", operation, answer, |got, name| {
            assert!(got.text().contains("bad") || got.status == 404, "{name}: {got:?}");
            assert_eq!((got.field("x-seen"), got.field("x-after")), (None, Some("yes")), "{name}");
            assert_eq!(ended(name).reason, None);
        });
    }
}

#[test]
fn what_a_filter_would_have_to_read_and_cannot_is_refused() {
    refused("GET", "json", "gzip", 502, "answer.coding");
    refused("GET", "json", "partial", 502, "answer.partial");
    refused("GET", "all", "events", 502, "answer.endless");
    refused("GET", "ok", "grpc", 502, "answer.endless");
    refused("GET", "json", "two-types", 502, "reader.bad");
}

#[test]
fn the_upstream_is_asked_for_the_whole_document_as_it_is() {
    let fields = [("Range", "bytes=0-1"), ("If-Range", "\"e\""), ("Accept-Encoding", "gzip, br")];
    for (got, version) in WORLD.both("GET", "/b/json?good-asked", &fields, b"").iter().zip(["1", "2"]) {
        assert_eq!(got.status, 201);
        let sent = WORLD.sent(&format!("good-asked-{version}"));
        assert!(!sent.contains("range:") && sent.contains("accept-encoding: identity\r\n") && !sent.contains("gzip"), "{sent}");
    }
}

#[test]
fn head_and_304_go_on_unjudged_and_204_is_judged_without_a_body() {
    each("HEAD", "json", "good", |got, name| {
        assert_eq!((got.status, got.field("x-seen"), got.field("x-after")), (201, None, Some("yes")), "{name}");
        assert!(got.field("content-length").is_none() && got.field("etag").is_none(), "{name}: {got:?}");
        assert_eq!(ended(name).status, 201);
    });
    each("GET", "json", "unchanged", |got, name| {
        assert_eq!((got.status, got.field("x-seen"), got.field("etag")), (304, None, Some("\"e\"")), "{name}");
    });
    each("GET", "json", "nothing", |got, name| {
        assert_eq!((got.status, got.field("x-seen"), got.field("content-length")), (204, Some("0"), None), "{name}");
        assert_eq!(ended(name).status, 204);
    });
}

#[test]
fn interim_answers_go_on_before_the_answer_is_whole() {
    let got = WORLD.http1("GET", "/b/json?early", &[], b"");
    assert_eq!((got.interim.as_slice(), got.status, got.field("x-seen")), ([103].as_slice(), 200, Some("7")));
}

#[test]
fn another_protocol_goes_on_unless_a_filter_reads_everything() {
    let fields = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    let mut stream = WORLD.connect();
    let got = Got::over(&mut stream, "GET", "/b/json?upgrade", &fields, b"");
    assert_eq!((got.status, got.field("x-seen")), (101, None));
    write!(stream, "ping").unwrap();
    let mut echo = [0; 4];
    std::io::Read::read_exact(&mut stream, &mut echo).unwrap();
    assert_eq!(&echo, b"ping");
    let got = WORLD.http1("GET", "/b/all?upgrade-all", &fields, b"");
    assert_eq!((got.status, got.reason().as_deref()), (502, Some("answer.endless")));
    // Who only offers another protocol is answered in this one.
    let got = WORLD.http1("GET", "/b/json?good-h2c", &[("Connection", "Upgrade"), ("Upgrade", "h2c")], b"");
    assert_eq!((got.status, got.field("x-seen")), (201, Some("7")));
    // What was asked for as a tunnel and is none after all would have to be read.
    let got = WORLD.http1("GET", "/b/json?good-tunnel", &fields, b"");
    assert_eq!((got.status, got.reason().as_deref()), (502, Some("answer.endless")));
}

#[test]
fn bodies_of_requests_reach_the_upstream_whole_whether_they_stream_or_were_read() {
    let large = vec![b'x'; 300_000];
    for operation in ["json", "body"] {
        for size in [0, 1, 65_536, 300_000] {
            for got in WORLD.both("POST", &format!("/b/{operation}?count"), &[], &large[..size]) {
                assert_eq!((got.status, got.text()), (200, size.to_string()), "{operation}");
                assert!(got.field("x-seen").is_some());
            }
        }
    }
    for got in WORLD.both("POST", "/b/body?count", &[], &[b"replace".as_slice(), &large].concat()) {
        assert_eq!((got.status, got.text()), (200, "8".to_owned()));
    }
}

#[test]
fn a_chunked_upload_and_one_that_waits_for_100_are_streamed() {
    let mut stream = WORLD.connect();
    write!(stream, "POST /b/json?count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..30 {
        write!(stream, "2710\r\n{}\r\n", "x".repeat(10_000)).unwrap();
    }
    write!(stream, "0\r\n\r\n").unwrap();
    assert_eq!(Got::read(&mut stream, "POST").text(), "300000");
    write!(stream, "POST /b/json?count-100 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n").unwrap();
    assert!(head(&mut stream).unwrap().starts_with("http/1.1 100"));
    stream.write_all(&[b'x'; 100_000]).unwrap();
    assert_eq!(Got::read(&mut stream, "POST").text(), "100000");
}

#[test]
fn an_old_client_gets_its_answer_with_a_length() {
    let mut stream = WORLD.connect();
    write!(stream, "GET /b/json?chunked-old HTTP/1.0\r\nHost: h\r\n\r\n").unwrap();
    let got = Got::read(&mut stream, "GET");
    assert_eq!((got.status, got.field("content-length"), got.field("connection")), (200, Some("14"), Some("close")));
}

#[test]
fn another_target_is_tried_as_for_any_other_request() {
    each("GET", "json", "failing", |got, name| {
        assert_eq!((got.status, got.text().as_str(), got.field("x-seen")), (200, "{\"a\":1}", Some("7")), "{name}");
        assert_eq!(ended(name).status, 200);
    });
}

#[test]
fn a_filter_that_wants_to_read_what_has_no_end_does_not_start() {
    for media_type in ["text/event-stream", "application/grpc+proto"] {
        let refusal = world::refusal(serde_json::json!({ "limit": 9, "media_types": [media_type] }));
        assert!(refusal.contains("chain.answers") && refusal.contains(media_type), "{refusal}");
    }
    assert!(world::refusal(serde_json::json!({ "limit": 9, "statuses": [101] })).contains("chain.answers"));
}

#[test]
fn a_client_that_leaves_while_its_answer_is_held_ends_its_request_once() {
    let mut stream = WORLD.connect();
    write!(stream, "GET /b/json?awaited HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    while !WORLD.heads.lock().unwrap().iter().any(|head| head.contains("?awaited ")) {
        std::thread::yield_now();
    }
    drop::<TcpStream>(stream);
    upstream::GO.wait();
    assert!(matches!(ended("awaited").status, 0 | 200));
}

#[test]
fn an_upstream_that_cannot_be_reached_is_a_502_over_both_versions() {
    let world = World::new("", |_, _| None);
    for (got, name) in world.both("GET", "/b/json?gone", &[], b"").iter().zip(["gone-1", "gone-2"]) {
        assert_eq!((got.status, got.broken), (502, false), "{got:?}");
        assert_eq!(ended(name).status, 502);
    }
    for got in world.both("POST", "/b/body?gone", &[], b"replace") {
        assert_eq!((got.status, got.broken), (502, false), "{got:?}");
    }
}

#[test]
fn an_upstream_that_never_ends_its_answer_runs_out_of_time() {
    let world = World::new("upstream: { request_timeout: 300ms }\n", upstream::answer);
    for (got, name) in world.both("GET", "/b/json?stalled-timed", &[], b"").iter().zip(["stalled-timed-1", "stalled-timed-2"]) {
        assert_eq!((got.status, got.reason().as_deref()), (504, Some("upstream.request_timeout")), "{got:?}");
        assert_eq!(ended(name).status, 504);
    }
}

#[test]
fn all_held_answers_together_have_a_limit_and_give_back_what_they_had() {
    let world = World::new("limits: { whole_answers: 100KiB }\n", upstream::answer);
    for round in 0..3 {
        for answer in ["become 90000", "bad-large", "cut", "limit"] {
            let got = world.http1("GET", &format!("/b/json?{answer}-room-{round}").replace(' ', "%20"), &[], b"");
            match answer {
                "limit" | "bad-large" => assert_eq!((got.status, got.reason().as_deref()), (503, Some("answer.held")), "{round}"),
                "cut" => assert_eq!(got.status, 502),
                _ => assert_eq!((got.status, got.body.len()), (200, 90_000)),
            }
        }
    }
}

#[test]
fn an_answer_that_was_held_brings_the_cookie_of_its_endpoint_and_a_refusal_does_not() {
    let world = World::new("endpoints: { g: { balance: { strategy: round_robin, sticky: { cookie: node } } } }\n", upstream::answer);
    for (answer, kept) in [("good", true), ("untyped", true), ("bad", false)] {
        for got in world.both("GET", &format!("/b/json?{answer}-cookie"), &[], b"") {
            let cookies: Vec<_> = got.fields.get_all("set-cookie").iter().collect();
            assert_eq!(
                cookies.iter().filter(|cookie| cookie.as_bytes().starts_with(b"node=")).count(),
                usize::from(kept),
                "{answer}: {got:?}"
            );
        }
    }
}
