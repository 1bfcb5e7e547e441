//! Pages in place of what the gateway and upstreams say when they refuse.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Message, Reply, Settings, Upstream, project::open_api};

const JSON: &str = r#"{"status":${status},"id":"${request.id}"}"#;

/// `/own` refuses in the gateway, `/theirs` has pages for the upstream's refusals too.
fn definition(endpoint: &str) -> Value {
    let pages = |upstream: bool| {
        json!({ "upstream": upstream, "pages": {
            "403": [{ "type": "text/html", "text": "<h1>${status_text}</h1>" }],
            "default": [{ "type": "text/html", "text": "<p>${status}</p>" }, { "type": "application/json", "text": JSON }],
        } })
    };
    let operation = |upstream: bool| json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-error_pages": pages(upstream) });
    let (mut own, theirs) = (operation(false), operation(true));
    own["x-tollgate-address"] = json!({ "deny": ["127.0.0.0/8"] });
    let plain = operation(false);
    open_api(
        "/",
        endpoint,
        json!({
            "/own": { "get": own.clone(), "head": own },
            "/theirs/{status}": { "get": theirs.clone(), "head": theirs },
            "/plain/{status}": { "get": plain },
        }),
    )
}

fn upstream() -> Upstream {
    Upstream::answering(|request: &Message| {
        let status = request.target().rsplit('/').next().and_then(|status| status.parse().ok()).unwrap_or(200);
        Reply::with(status, &["Content-Type: text/plain", "Retry-After: 7", "Content-Language: de"], "panic at line 7")
    })
}

#[test]
fn a_refusal_of_the_gateway_has_a_page_that_the_client_accepts() {
    let gateway = Gateway::serving(&definition("http://127.0.0.1:1"), Settings::default());
    let mut client = gateway.connect();
    let page = client.ask("GET", "/own", &["Accept: text/html"], b"").unwrap();
    assert_eq!((page.status(), page.text().as_str()), (403, "<h1>Forbidden</h1>"));
    assert_eq!((page.field("content-type"), page.field("content-length")), (Some("text/html"), Some("18")));
    let head = client.ask("HEAD", "/own", &["Accept: text/html"], b"").unwrap();
    assert_eq!((head.status(), head.field("content-length"), head.text().as_str()), (403, Some("18"), ""));
    let script = client.ask("GET", "/own", &["Accept: application/json"], b"").unwrap();
    let document: Value = serde_json::from_str(&script.text()).unwrap();
    assert_eq!((script.field("content-type"), &document["status"]), (Some("application/json"), &json!(403)));
    assert!(gateway.log_of(3).iter().all(|line| line["reason"] == "address.denied"));
    let none = client.ask("GET", "/own", &["Accept: image/png"], b"").unwrap();
    assert_eq!((none.status(), none.field("content-type")), (403, Some("application/problem+json")));
    let away = gateway.send("GET", "/plain/200", &["Accept: text/html"], b"");
    assert_eq!(away.text(), format!("<p>{}</p>", away.status()), "nobody listens there");
    assert!(away.status() >= 500, "{away:?}");
}

#[test]
fn a_refusal_of_the_upstream_has_one_where_that_is_asked_for() {
    let upstream = upstream();
    let gateway = Gateway::serving(&definition(&upstream.url()), Settings::default());
    let page = gateway.send("GET", "/theirs/500", &["Accept: text/html"], b"");
    assert_eq!((page.status(), page.text().as_str(), page.field("content-length")), (500, "<p>500</p>", Some("10")));
    assert_eq!((page.field("retry-after"), page.field("content-language")), (Some("7"), None));
    assert_eq!(gateway.send("HEAD", "/theirs/500", &["Accept: text/html"], b"").status(), 500);
    for target in ["/theirs/200", "/plain/500"] {
        let kept = gateway.send("GET", target, &["Accept: text/html"], b"");
        assert_eq!((kept.text().as_str(), kept.field("content-language")), ("panic at line 7", Some("de")), "{target}");
    }
}
