//! Deadlines: the client's, and whose time is shorter.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::json;
use tollgate_tests::{
    Client, Gateway,
    h2::{DATA, END_STREAM, H2, Outcome},
    h2_upstream::H2Upstream,
};

use super::world::{call, make, service, settings, world};

#[test]
fn a_deadline_ends_the_call_here_and_upstream_which_knows_what_is_left_of_it() {
    let (server, gateway) = world(json!({}));
    let begun = Instant::now();
    let late = call("Wait", "unary", json!(["x"]), json!({ "timeout": 1.0, "metadata": [["call", "late"]] }));
    let answer = make(&gateway, &[late]).remove(0);
    assert_eq!(answer["status"], 4, "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    server.ended("late", "cancelled");
    let left = server.notes()["seen"]["Wait"]["left"].as_f64().unwrap();
    assert!(left > 0.0 && left <= 1.0, "{left}");
    let answer = make(&gateway, &[call("Unary", "unary", json!(["x"]), json!({ "timeout": 3600.0 }))]).remove(0);
    assert_eq!(answer["status"], 0, "{answer}");
    let left = server.notes()["seen"]["Unary"]["left"].as_f64().unwrap();
    assert!(left > 3500.0 && left <= 3600.0, "{left}");
}

/// Calls without a client that looks at the clock itself: a timeout each, the last messages of whose requests are sent.
fn without_a_clock(gateway: &Gateway, timeouts: &[&str]) -> Vec<Outcome> {
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    let streams = || (1..).step_by(2);
    for (stream, timeout) in streams().zip(timeouts) {
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/demo.Echo/Wait"),
            ("content-type", "application/grpc+proto"),
            ("te", "trailers"),
            ("grpc-timeout", timeout),
        ];
        client.headers(stream, &fields, false).unwrap();
        client.send(DATA, END_STREAM, stream, &[0; 5]).unwrap();
    }
    streams().zip(timeouts).map(|(stream, _)| client.outcome(stream)).collect()
}

#[test]
fn a_deadline_holds_against_upstreams_that_are_silent_or_never_end_and_one_that_cannot_be_read_is_refused() {
    let (silent, dripping) = (TcpListener::bind("127.0.0.1:0").unwrap(), H2Upstream::dripping(Duration::from_millis(20)));
    for (port, status) in [(silent.local_addr().unwrap().port(), 504), (dripping.port, 200)] {
        let gateway = Gateway::serving(&service(&format!("http://127.0.0.1:{port}")), settings(json!({})));
        let begun = Instant::now();
        assert_eq!(without_a_clock(&gateway, &["700m"]), [Outcome::Answered(200)]);
        assert!(begun.elapsed() >= Duration::from_millis(700));
        let line = &gateway.log_of(1)[0];
        assert_eq!(
            (&line["reason"], &line["status"], &line["grpc_status"]),
            (&json!("grpc.deadline"), &json!(status), &json!(4)),
            "{line}"
        );
        let taken = line["duration_ms"].as_f64().unwrap();
        assert!(taken < 5000.0, "{taken} ms");
    }
    let config = json!({ "upstream": { "request_timeout": "1s" } });
    let gateway = Gateway::serving(&service(&format!("http://127.0.0.1:{}", silent.local_addr().unwrap().port())), settings(config));
    assert_eq!(without_a_clock(&gateway, &["100S", "soon", "0n"]), [Outcome::Answered(200); 3]);
    let mut log: Vec<_> =
        gateway.log_of(3).iter().map(|line| (line["reason"].to_string(), line["grpc_status"].as_u64().unwrap())).collect();
    log.sort_unstable();
    let expected = [("grpc.deadline", 4), ("grpc.timeout", 13), ("upstream.request_timeout", 4)];
    assert_eq!(log, expected.map(|(reason, code)| (format!("\"{reason}\""), code)));
}
