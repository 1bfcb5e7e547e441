//! Clients that are sent elsewhere, and to TLS.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Settings, Upstream, project::open_api};

fn redirecting(settings: Value) -> Value {
    json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-redirect": settings })
}

#[test]
fn a_client_is_sent_on_without_an_endpoint_by_any_method() {
    let moved = redirecting(json!({ "to": "/b${request.rest}${request.search}" }));
    let definition = json!({
        "openapi": "3.0.3",
        "info": { "title": "moved", "version": "1" },
        "x-wso2-basePath": "/a",
        "x-wso2-disable-security": true,
        "paths": { "/*": { "get": moved.clone(), "head": moved.clone(), "post": moved } },
    });
    let gateway = Gateway::serving(&definition, Settings::default());
    let mut client = gateway.connect();
    for method in ["GET", "HEAD", "POST"] {
        let answer = client.ask(method, "/a/x%20y/z?q=%0d%0aa:b&/", &[], b"").unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (308, ""), "{method}");
        assert_eq!(answer.field("location"), Some("/b/x%20y/z?q=%0d%0aa:b&/"), "{method}");
    }
    let log = gateway.log_of(3);
    assert!(log.iter().all(|line| line["status"] == 308 && line["reason"] == "redirect.sent"), "{log:?}");
}

#[test]
fn a_client_without_tls_is_sent_to_tls_and_to_no_host_that_is_not_ours() {
    let upstream = Upstream::start();
    let settings = json!({ "https": true, "hosts": ["shop.example"], "hsts": { "max_age": "365d" } });
    let definition = open_api("/", &upstream.url(), json!({ "/x": { "get": redirecting(settings) } }));
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "trusted_proxies": ["127.0.0.1"] })));
    let sent = gateway.send("GET", "/x?a=b", &["Host: Shop.Example:8080"], b"");
    assert_eq!((sent.status(), sent.field("location")), (308, Some("https://shop.example/x?a=b")));
    assert_eq!(sent.field("strict-transport-security"), None);
    let evil = gateway.send("GET", "/x", &["Host: evil.example"], b"");
    assert_eq!((evil.status(), evil.field("location")), (421, None), "{}", evil.text());
    assert_eq!(upstream.count(), 0);
    let secure = gateway.send("GET", "/x", &["Host: shop.example", "X-Forwarded-Proto: https"], b"");
    assert_eq!((secure.status(), secure.field("strict-transport-security")), (200, Some("max-age=31536000")));
}
