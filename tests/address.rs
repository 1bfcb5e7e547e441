//! Calls that are allowed and denied by where they come from.

use serde_json::json;
use tollgate_tests::{Gateway, Settings, Upstream, project::open_api};

#[test]
fn the_address_that_a_trusted_proxy_names_decides_and_a_strangers_word_does_not() {
    let upstream = Upstream::start();
    let settings = json!({ "allow": ["192.0.2.0/24", "127.0.0.0/8"], "deny": ["192.0.2.7"] });
    let operation = json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-address": settings });
    let definition = open_api("/", &upstream.url(), json!({ "/x": { "get": operation } }));
    let status = |gateway: &Gateway, address: &str| gateway.send("GET", "/x", &[&format!("X-Forwarded-For: {address}")], b"").status();
    let behind = Gateway::serving(&definition, Settings::of(json!({ "trusted_proxies": ["127.0.0.1"] })));
    for (address, expected) in
        [("192.0.2.8", 200), ("192.0.2.7", 403), ("::ffff:192.0.2.7", 403), ("198.51.100.1", 403), ("192.0.2.8, 192.0.2.7", 403)]
    {
        assert_eq!(status(&behind, address), expected, "{address}");
    }
    let log = behind.log_of(5);
    assert_eq!(log.iter().filter(|line| line["reason"] == "address.denied").count(), 4, "{log:?}");
    assert_eq!(upstream.count(), 1);
    let open = Gateway::serving(&definition, Settings::default());
    assert_eq!(status(&open, "192.0.2.7"), 200, "the connection is the client's own");
}
