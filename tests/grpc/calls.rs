//! What calls carry, and how they end when nobody refuses them.

use std::thread;

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings,
    certificates::Authority,
    parts::{GrpcServer, grpc},
};

use super::world::{call, field, make, service, unary, world};

#[test]
fn all_four_kinds_of_calls_carry_their_messages_and_metadata_both_ways() {
    const MIB: usize = 1 << 20;
    let (server, gateway) = world(json!({ "limits": { "body_bytes": "64MiB" } }));
    let metadata = json!([["plain", "words"], ["raw-bin", "00ff80"]]);
    let answers = make(
        &gateway,
        &[
            call("Unary", "unary", json!([4 * MIB]), json!({ "metadata": metadata })),
            call("Count", "server", json!([format!("3 {}", 4 * MIB)]), json!({})),
            call("Total", "client", json!([4 * MIB, 1, 4 * MIB]), json!({})),
            call("Chat", "bidi", json!(["one", 4 * MIB, "three"]), json!({})),
        ],
    );
    let messages: Vec<_> = answers.iter().map(|answer| (answer["status"].clone(), answer["messages"].clone())).collect();
    let total = format!("3 {}", 8 * MIB + 1);
    let expected = [json!([4 * MIB]), json!([4 * MIB, 4 * MIB, 4 * MIB]), json!([total]), json!(["one", 4 * MIB, "three"])];
    assert_eq!(messages, expected.map(|messages| (json!(0), messages)));
    let (initial, trailing) = (&answers[0]["initial"], &answers[0]["trailing"]);
    assert_eq!((field(initial, "served-by"), field(initial, "initial-bin")), (Some("python"), Some("00ff")), "{initial}");
    assert_eq!((field(trailing, "served"), field(trailing, "trailing-bin")), (Some("1"), Some("01fe")), "{trailing}");
    assert_eq!(field(trailing, "x-jwt-assertion"), None, "what is between gateway and upstream");
    let seen = &server.notes()["seen"]["Unary"]["metadata"];
    assert_eq!((&seen["plain"], &seen["raw-bin"]), (&json!("words"), &json!("00ff80")), "{seen}");
    assert!(
        gateway.log_of(4).iter().all(|line| (&line["status"], &line["grpc_status"]) == (&json!(200), &json!(0))),
        "{:?}",
        gateway.log()
    );
}

#[test]
fn the_status_of_an_upstream_reaches_client_and_log_as_it_is() {
    let (_server, gateway) = world(json!({}));
    let answers = make(&gateway, &[call("Unary", "unary", json!(["x"]), json!({ "metadata": [["fail-with", "9"]] }))]);
    assert_eq!((&answers[0]["status"], &answers[0]["details"]), (&json!(9), &json!("as it was told: 50 % of ü")), "{answers:?}");
    let line = &gateway.log_of(1)[0];
    assert_eq!((&line["status"], &line["grpc_status"], &line["reason"]), (&json!(200), &json!(9), &Value::Null), "{line}");
}

#[test]
fn a_stream_that_either_side_ends_early_has_the_status_of_whoever_ended_it() {
    let (_server, gateway) = world(json!({ "limits": { "body_bytes": "1MiB" } }));
    let early = call("Total", "client", json!([100_000, 100_000, 1]), json!({ "pause": 0.2, "metadata": [["fail-with", "9"]] }));
    let too_long = call("Chat", "bidi", json!(["one", 2 << 20]), json!({ "pause": 0.2 }));
    let answers = make(&gateway, &[early, too_long]);
    assert_eq!(answers[0]["status"], 9, "{answers:?}");
    assert_eq!((&answers[1]["status"], &answers[1]["messages"]), (&json!(8), &json!(["one"])), "{answers:?}");
    assert!(answers[1]["details"].as_str().unwrap().contains("limit.body_bytes"), "{answers:?}");
}

#[test]
fn messages_that_a_client_compresses_pass_as_they_are() {
    let (_server, gateway) = world(json!({}));
    let text = "again and again ".repeat(1000);
    let chat = call("Chat", "bidi", json!([100_000, 100_000]), json!({}));
    let answers = grpc::call(gateway.ports.h2c, &json!({ "compress": true }), &[unary(&text), chat]);
    assert_eq!((&answers[0]["status"], &answers[0]["messages"][0]), (&json!(0), &json!(text.len())), "{answers:?}");
    assert_eq!(answers[1]["messages"], json!([100_000, 100_000]));
    assert!(gateway.log_of(2).iter().all(|line| line["bytes_in"].as_u64().unwrap() < 2000), "{:?}", gateway.log());
}

#[test]
fn a_client_that_leaves_takes_its_call_with_it() {
    let (server, gateway) = world(json!({}));
    let count = json!({ "cancel_after": 2, "metadata": [["call", "count"], ["then-wait", "1"]] });
    let chat = json!({ "cancel_after": 1, "hold": 60, "metadata": [["call", "chat"], ["then-wait", "1"]] });
    let answers = make(&gateway, &[call("Count", "server", json!(["2 10"]), count), call("Chat", "bidi", json!(["x"]), chat)]);
    assert_eq!([&answers[0]["status"], &answers[1]["status"]], [&json!(1), &json!(1)], "{answers:?}");
    server.ended("count", "cancelled");
    server.ended("chat", "cancelled");
}

#[test]
fn a_stream_may_be_idle_for_longer_than_a_body_or_a_connection() {
    let config = json!({ "limits": { "idle_time": "1s", "body_pace": "1MiB", "header_time": "1s" } });
    let (_server, gateway) = world(config);
    // The pace of a body is looked at when ten seconds have gone.
    let chat = call("Chat", "bidi", json!(["one", "two", "three"]), json!({ "pause": 6, "hold": 2 }));
    let answer = make(&gateway, &[chat]).remove(0);
    assert_eq!((&answer["status"], &answer["messages"]), (&json!(0), &json!(["one", "two", "three"])), "{answer}");
}

#[test]
fn a_stream_goes_on_when_its_connection_has_had_its_requests_and_a_reload_has_come() {
    let (_server, gateway) = world(json!({ "limits": { "requests_per_connection": 5 } }));
    let port = gateway.ports.h2c;
    let chat = call("Chat", "bidi", json!(["one", "two", "three"]), json!({ "pause": 1 }));
    let client = thread::spawn(move || grpc::call(port, &json!({}), &[chat, call("Unary", "unary", json!(["x"]), json!({ "times": 20 }))]));
    gateway.log_of(20);
    assert_eq!(gateway.reload().status(), 200);
    let answers = client.join().unwrap();
    assert_eq!(answers[0]["messages"], json!(["one", "two", "three"]), "{answers:?}");
    assert!(answers.iter().all(|answer| answer["status"] == 0), "{answers:?}");
}

#[test]
fn five_thousand_streams_are_open_at_the_same_time() {
    const STREAMS: usize = 5000;
    let (server, gateway) = world(json!({ "limits": { "requests_per_connection": 100_000 } }));
    let port = gateway.ports.h2c;
    let chats = call("Chat", "bidi", json!(["one", "two"]), json!({ "times": STREAMS, "gather": STREAMS }));
    let answers = grpc::call(port, &json!({ "channels": 60 }), &[chats]);
    assert_eq!(answers.len(), STREAMS);
    let odd: Vec<_> = answers.iter().filter(|answer| answer["status"] != 0 || answer["messages"] != json!(["one", "two"])).collect();
    assert!(odd.is_empty(), "{} of them, the first {:?}", odd.len(), odd.first());
    assert_eq!(server.notes()["most"], STREAMS, "streams that were open at the same time");
    assert!(gateway.log_of(STREAMS).iter().all(|line| line["grpc_status"] == 0));
}

#[test]
fn an_upstream_with_tls_is_spoken_to_in_http2_and_must_show_its_certificate() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("up", 2, &["localhost"]).write(&folder, "up");
    let server = GrpcServer::with_tls(&certificate, &key);
    let definition = service(&format!("https://localhost:{}/demo.Echo", server.tls));
    for (upstream, status) in [(json!({ "ca": ca }), 0), (json!({}), 14)] {
        let settings = Settings { h2c: true, config: json!({ "upstream": upstream }), tls: None };
        let gateway = Gateway::serving(&definition, settings);
        // Python's client takes a refusal that meets it while it sends for an error of its own.
        let second = if status == 0 { call("Chat", "bidi", json!(["one", "two"]), json!({})) } else { unary("y") };
        let answers = make(&gateway, &[unary("x"), second]);
        assert_eq!([&answers[0]["status"], &answers[1]["status"]], [status, status], "{answers:?}");
    }
}
