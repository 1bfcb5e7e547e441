//! Cross-origin requests, end to end.

use serde_json::json;
use tollgate_tests::{
    Gateway, Settings, Upstream,
    project::{open_api, operation},
};

fn world() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation(), "put": operation() } }));
    definition["x-wso2-cors"] = json!({
        "corsEnabled": true,
        "access-control-allow-origins": ["https://shop.example"],
        "access-control-allow-methods": ["GET", "PUT"],
        "access-control-allow-headers": ["X-Api"],
        "access-control-allow-credentials": true,
    });
    let gateway = Gateway::serving(&definition, Settings::default());
    (upstream, gateway)
}

#[test]
fn a_preflight_is_answered_by_the_gateway_and_names_the_origin() {
    let (upstream, gateway) = world();
    let fields = ["Origin: https://shop.example", "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-api"];
    let answer = gateway.send("OPTIONS", "/a/x", &fields, b"");
    assert!(matches!(answer.status(), 200 | 204), "{answer:?}");
    assert_eq!(answer.field("access-control-allow-origin"), Some("https://shop.example"));
    assert_eq!(answer.field("access-control-allow-credentials"), Some("true"));
    assert!(answer.all("vary").join(",").to_ascii_lowercase().contains("origin"), "{answer:?}");
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_strange_origin_gets_no_permission() {
    let (_upstream, gateway) = world();
    for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
        let origin = format!("Origin: {origin}");
        let preflight = gateway.send("OPTIONS", "/a/x", &[&origin, "Access-Control-Request-Method: PUT"], b"");
        assert_eq!(preflight.field("access-control-allow-origin"), None, "{origin}");
        assert_eq!(gateway.send("GET", "/a/x", &[&origin], b"").field("access-control-allow-origin"), None, "{origin}");
    }
}

#[test]
fn an_answer_to_a_listed_origin_is_marked_and_varies_by_it() {
    let (upstream, gateway) = world();
    let answer = gateway.send("GET", "/a/x", &["Origin: https://shop.example"], b"");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.field("access-control-allow-origin"), Some("https://shop.example"));
    let plain = gateway.get("/a/x");
    assert_eq!(plain.field("access-control-allow-origin"), None);
    assert!(plain.all("vary").join(",").to_ascii_lowercase().contains("origin"), "a cache must not mix the two: {plain:?}");
    assert_eq!(upstream.count(), 2);
}
