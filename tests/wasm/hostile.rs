//! Guests that mean harm, under a load of requests that do not.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use serde_json::json;
use tollgate_tests::{Folder, Gateway, Upstream, client::Client};

use super::guest::{HOSTILE, built, running};

/// Requests of each kind.
const EACH: usize = 1_000;
const KINDS: [&str; 9] = ["loop", "allocate", "recurse", "trap", "map", "fields", "pointers", "callback", "wait"];

/// Sends ordinary requests while `harm` runs. All of them pass the same module.
fn beside(gateway: &Gateway, harm: impl FnOnce()) {
    let (ends, sent, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                while !ends.load(Ordering::Relaxed) {
                    let answer = client.ask("GET", "/v1/ordinary", &["X-Name: Ada"], b"");
                    let is_well = answer.is_ok_and(|answer| answer.status() == 200 && answer.field("x-guest").is_some());
                    failed.fetch_add(usize::from(!is_well), Ordering::Relaxed);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        harm();
        ends.store(true, Ordering::Relaxed);
    });
    let (sent, failed) = (sent.into_inner(), failed.into_inner());
    assert!(sent > 100, "only {sent} ordinary requests were sent");
    assert_eq!(failed, 0, "of {sent} ordinary requests");
}

/// Sends these bytes many times, each time for 503.
fn harm(gateway: &Gateway, what: &str, request: &[u8]) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Client::connect(gateway.ports.plain);
                for _ in 0..EACH / 2 {
                    client.write(request).unwrap();
                    assert_eq!(client.answer("GET").unwrap().status(), 503, "{what}");
                }
            });
        }
    });
}

#[test]
fn a_guest_that_means_harm_harms_its_own_request_only() {
    let upstream = Upstream::start();
    let folder = Folder::default();
    let module = folder.write("hostile.wasm", wat::parse_str(HOSTILE).unwrap());
    let gateway = running(&upstream, module.to_str().unwrap(), json!({}));
    beside(&gateway, || {
        for kind in KINDS {
            let request = format!("GET /v1/x HTTP/1.1\r\nHost: a\r\nX-Mode: {kind}\r\n\r\n");
            harm(&gateway, kind, request.as_bytes());
        }
    });
    gateway.metric_reaches("tollgate_wasm_broken_total", (EACH * KINDS.len()) as f64);
    let told = gateway.stderr();
    for fault in ["wasm.time: module `hostile` (", "wasm.trap: ", "wasm.refused: ", "wasm.paused: "] {
        assert!(told.contains(fault), "{fault}: {told}");
    }
}

#[test]
fn a_field_that_is_not_utf_8_ends_its_own_request_only() {
    let upstream = Upstream::start();
    let gateway = running(&upstream, built("headers").to_str().unwrap(), json!({}));
    let request = [&b"GET /v1/x HTTP/1.1\r\nHost: a\r\nX-Name: 1 \xc0\xa7\r\n\r\n"[..]].concat();
    beside(&gateway, || harm(&gateway, "not UTF-8", &request));
    gateway.metric_reaches("tollgate_wasm_broken_total", EACH as f64);
    let told = gateway.stderr();
    let told = told.lines().find(|line| line.contains("wasm.trap: ")).expect("it is told");
    for part in ["module `headers` (", "proxy_on_request_headers", "its last words", "Utf8Error"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
