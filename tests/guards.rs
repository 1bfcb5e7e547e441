//! What guards endpoints: retries, circuit breakers, room for requests; also as definitions of the reference product ask for them.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Reply, Settings, Upstream,
    project::{open_api, operation},
    until,
};

use crate::endpoints::gateway;

/// An upstream whose answers are these, one after the other, and the last of them from then on.
fn answering(replies: Vec<Reply>) -> Upstream {
    let next = AtomicUsize::new(0);
    Upstream::answering(move |_| {
        let at = next.fetch_add(1, SeqCst).min(replies.len() - 1);
        replies[at].clone()
    })
}

fn ok() -> Reply {
    Reply::new(200, "ok")
}

fn failed() -> Reply {
    Reply::new(503, "failed")
}

fn retries(upstream: &Upstream, retry: Value) -> Gateway {
    gateway(&[upstream.url()], json!({ "retry": retry }))
}

#[test]
fn a_status_that_is_listed_is_tried_again_after_a_pause_and_the_log_counts_the_attempts() {
    let upstream = answering(vec![failed(), failed(), ok()]);
    let gateway = retries(&upstream, json!({ "count": 2, "statuses": ["500-503"], "interval": "100ms", "factor": 3.0, "longest": "1s" }));
    let begun = Instant::now();
    assert_eq!(gateway.get("/a/x").text(), "ok");
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(upstream.count(), 3);
    assert_eq!(gateway.log_of(1)[0]["attempts"], 3);
    assert_eq!(gateway.metric(r#"tollgate_upstream_retries_total{group="pets/production"}"#), Some(2.0));
}

#[test]
fn when_the_attempts_are_used_up_the_last_answer_is_passed_on() {
    let upstream = answering(vec![failed()]);
    let gateway = retries(&upstream, json!({ "count": 2, "statuses": [503], "interval": "1ms" }));
    let answer = gateway.get("/a/x");
    assert_eq!((answer.status(), answer.text().as_str(), upstream.count()), (503, "failed", 3));
}

#[test]
fn what_may_have_happened_is_never_asked_for_twice() {
    for reply in [failed(), Reply::raw("").close(), Reply::raw("HTTP/1.1 200 OK\r\nContent-Le").close()] {
        let upstream = answering(vec![reply]);
        let gateway = retries(&upstream, json!({ "count": 3, "statuses": [503], "interval": "1ms" }));
        let answer = gateway.send("POST", "/a/x", &[], b"order");
        assert!([502, 503].contains(&answer.status()), "{}", answer.status());
        assert_eq!(upstream.count(), 1);
    }
}

#[test]
fn a_connection_that_breaks_is_tried_again_for_what_is_idempotent() {
    let upstream = answering(vec![Reply::raw("").close(), Reply::raw("HTTP/1.1 200 OK\r\nConte").close(), ok()]);
    let gateway = retries(&upstream, json!({ "count": 2, "interval": "1ms" }));
    assert_eq!(gateway.send("PUT", "/a/x", &[], b"the whole").text(), "ok");
    let requests = upstream.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.message.body == b"the whole"));
}

#[test]
fn an_upstream_that_says_when_to_come_again_is_not_asked_sooner() {
    let busy = |after: &str| Reply::with(503, &[&format!("Retry-After: {after}")], "later");
    let upstream = answering(vec![busy("1"), ok()]);
    let gateway = retries(&upstream, json!({ "count": 1, "statuses": [503], "interval": "1ms", "longest": "2s" }));
    let begun = Instant::now();
    assert_eq!(gateway.get("/a/x").status(), 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    for after in ["60", "Fri, 31 Dec 2099 23:59:59 GMT", "soon"] {
        let upstream = answering(vec![busy(after), ok()]);
        let gateway = retries(&upstream, json!({ "count": 1, "statuses": [503], "interval": "1ms", "longest": "2s" }));
        let answer = gateway.get("/a/x");
        assert_eq!((answer.status(), answer.field("retry-after"), upstream.count()), (503, Some(after), 1));
    }
}

#[test]
fn when_everything_fails_the_budget_keeps_retries_from_multiplying_the_load() {
    let upstream = answering(vec![failed()]);
    let gateway = retries(&upstream, json!({ "count": 3, "statuses": [503], "interval": "0s", "budget": 10 }));
    let mut client = gateway.connect();
    let (begun, requests) = (Instant::now(), 500);
    (0..requests).for_each(|_| assert_eq!(client.ask("GET", "/a/x", &[], b"").unwrap().status(), 503));
    let most = requests / 10 + 10 * (usize::try_from(begun.elapsed().as_secs()).unwrap() + 2);
    let extra = upstream.count() - requests;
    assert!((10..=most).contains(&extra), "{extra} of at most {most}");
    assert!(gateway.metric(r#"tollgate_upstream_retries_refused_total{group="pets/production"}"#) > Some(100.0));
}

#[test]
fn a_circuit_breaker_opens_answers_at_once_and_closes_when_a_trial_succeeds() {
    let healthy = Arc::new(AtomicUsize::new(0));
    let state = healthy.clone();
    let upstream = Upstream::answering(move |_| if state.load(SeqCst) == 1 { ok() } else { Reply::new(500, "no") });
    let breaker = json!({ "requests": 3, "threshold": 0.5, "reset": "1s", "window": "60s", "bucket": "10s" });
    let gateway = gateway(&[upstream.url()], json!({ "circuit_breaker": breaker }));
    (0..3).for_each(|_| assert_eq!(gateway.get("/a/x").status(), 500));
    for _ in 0..5 {
        let answer = gateway.get("/a/x");
        assert_eq!(answer.status(), 503);
        assert!(answer.text().contains("upstream.circuit_open"), "{}", answer.text());
    }
    assert_eq!(upstream.count(), 3);
    until("a trial that fails", || {
        gateway.get("/a/x");
        (upstream.count() == 4).then_some(())
    });
    assert_eq!(gateway.get("/a/x").status(), 503);
    healthy.store(1, SeqCst);
    until("a trial that succeeds", || (gateway.get("/a/x").status() == 200).then_some(()));
    assert!((0..5).all(|_| gateway.get("/a/x").status() == 200));
    assert_eq!(gateway.metric(r#"tollgate_upstream_circuits_opened_total{group="pets/production"}"#), Some(1.0));
}

/// A server that answers the first request of each connection, and closes it when the second comes. It counts the second ones.
fn answering_once() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, closed) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = closed.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let count = count.clone();
            thread::spawn(move || {
                let asked = |stream: &mut TcpStream| {
                    let (mut bytes, mut piece) = (Vec::new(), [0; 1024]);
                    while let Ok(n @ 1..) = stream.read(&mut piece) {
                        bytes.extend_from_slice(&piece[..n]);
                        if bytes.ends_with(b"\r\n\r\n") {
                            return true;
                        }
                    }
                    false
                };
                if asked(&mut stream) && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok() {
                    count.fetch_add(usize::from(asked(&mut stream)), SeqCst);
                }
            });
        }
    });
    (address, closed)
}

#[test]
fn a_kept_connection_that_the_upstream_has_closed_counts_against_nobody() {
    let (address, closed) = answering_once();
    let breaker = json!({ "requests": 1, "threshold": 0.0, "reset": "1h" });
    let gateway = gateway(&[format!("http://{address}")], json!({ "circuit_breaker": breaker }));
    until("some connections to be closed", || {
        assert_eq!(gateway.get("/a/x").status(), 200);
        (closed.load(SeqCst) > 3).then_some(())
    });
    assert_eq!(gateway.metric(r#"tollgate_upstream_circuits_opened_total{group="pets/production"}"#), Some(0.0));
}

#[test]
fn an_endpoint_whose_answers_come_too_late_is_broken_for_the_circuit_breaker() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let drip = head.iter().fold(Reply::raw(""), |reply, byte| reply.then(Duration::from_millis(200), [*byte]));
    let upstream = Upstream::answering(move |_| drip.clone());
    let breaker = json!({ "requests": 1, "threshold": 0.0, "reset": "1h" });
    let gateway = gateway(&[upstream.url()], json!({ "circuit_breaker": breaker, "response_header_timeout": "1s", "http": "1" }));
    assert_eq!(gateway.get("/a/x").status(), 504);
    assert_eq!(gateway.get("/a/x").status(), 503);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn requests_beyond_the_room_wait_and_beyond_those_they_are_refused() {
    let upstream =
        Upstream::answering(|_| Reply::raw("").then(Duration::from_millis(500), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let gateway = gateway(&[upstream.url()], json!({ "capacity": { "requests": 2, "pending": 2, "wait": "5s" } }));
    let answers: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = (0..6)
            .map(|number| {
                let gateway = &gateway;
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(20 * number));
                    gateway.get("/a/x")
                })
            })
            .collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let passed = answers.iter().filter(|answer| answer.status() == 200).count();
    let refused = answers.iter().filter(|answer| answer.status() == 503 && answer.text().contains("upstream.full")).count();
    assert_eq!((passed, refused), (4, 2));
    assert_eq!(upstream.count(), 4);
}

/// A gateway over a definition whose one operation has this `advanceEndpointConfig`, with the reference product's bodies.
fn advanced(upstream: &Upstream, advanced: Value) -> Gateway {
    let mut definition = open_api("/a", "", json!({ "/x": { "get": operation() } }));
    definition["x-wso2-production-endpoints"] = json!({ "urls": [upstream.url()], "advanceEndpointConfig": advanced });
    Gateway::serving(&definition, Settings::of(json!({ "errors": "wso2" })))
}

fn code(gateway: &Gateway) -> (u16, Value) {
    let answer = gateway.get("/a/x");
    let body: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    (answer.status(), body["fault"]["code"].clone())
}

#[test]
fn what_definitions_of_the_reference_product_ask_for_happens_without_a_waiver() {
    let slow = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(20), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let begun = Instant::now();
    let (status, number) = code(&advanced(&slow, json!({ "timeoutInMillis": 1000 })));
    assert_eq!((status, number), (500, json!(101_503)));
    assert!(begun.elapsed() < Duration::from_secs(10));

    let flaky = answering(vec![Reply::new(504, ""), Reply::new(504, ""), ok()]);
    let gateway =
        advanced(&flaky, json!({ "retryConfig": { "count": 1, "intervalInMillis": 50, "backOffFactor": 1.2, "statusCodes": [504] } }));
    assert_eq!([gateway.get("/a/x").status(), gateway.get("/a/x").status()], [504, 200]);
    assert_eq!(flaky.count(), 3);

    let broken = answering(vec![Reply::new(500, "mine"), ok()]);
    let window = json!({ "requestVolumeThreshold": 1, "timeWindowInMillis": 60_000, "bucketSizeInMillis": 2000 });
    let breaker = json!({ "rollingWindow": window, "failureThreshold": 0.2, "resetTimeInMillis": 1000, "statusCodes": [500] });
    let gateway = advanced(&broken, json!({ "circuitBreaker": breaker }));
    assert_eq!(gateway.get("/a/x").text(), "mine");
    assert_eq!(code(&gateway), (500, json!(101_503)));
    assert_eq!(broken.count(), 1);
    until("the circuit breaker to close", || (gateway.get("/a/x").status() == 200).then_some(()));
}
