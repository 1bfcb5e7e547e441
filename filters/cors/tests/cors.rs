//! The `cors` filter from outside.

use filter_cors::{Cors, KIND};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Cors>(&KIND);
}

#[test]
fn without_origins_there_is_nothing_to_do() {
    assert!(Harness::<Cors>::setup().is_idle("{allow_credentials: true, max_age: 1m}"));
}

#[test]
fn every_origin_with_credentials_is_refused_at_load() {
    let problem = Harness::<Cors>::problem("{allow_origins: ['*'], allow_credentials: true}");
    assert_eq!(problem.pointer, "/allow_credentials");
    assert!(!problem.hint.is_empty());
}

#[test]
fn a_star_beside_other_origins_is_refused_at_load() {
    assert_eq!(Harness::<Cors>::problem("{allow_origins: ['*', 'https://a.example']}").pointer, "/allow_origins");
}

#[test]
fn a_name_that_http_does_not_allow_is_refused_at_load() {
    for (settings, pointer) in [
        ("{allow_origins: ['https://a.example'], allow_headers: ['x-a', 'x b']}", "/allow_headers/1"),
        ("{allow_origins: ['https://a.example'], allow_methods: ['']}", "/allow_methods/0"),
        ("{allow_origins: ['https://a.example'], expose_headers: [\"x-a\\r\\nx-b\"]}", "/expose_headers/0"),
    ] {
        assert_eq!(Harness::<Cors>::problem(settings).pointer, pointer);
    }
}

#[test]
fn entries_of_definitions_in_use_load_though_no_browser_sends_them() {
    let h = Harness::<Cors>::yaml("{allow_origins: [test.com]}");
    let mut run = h.request("GET", "/").header("origin", "http://test.com").run().next();
    assert!(run.response(200).fields().get("access-control-allow-origin").is_none());
}

#[test]
fn an_answered_preflight_is_not_touched_on_the_way_back() {
    let h = Harness::<Cors>::yaml("{allow_origins: ['https://a.example']}");
    let request = h.request("OPTIONS", "/").path_methods(&["GET"]).header("origin", "https://a.example");
    let mut run = request.header("access-control-request-method", "GET").run().assert_reply(200, "cors.preflight");
    assert_eq!(run.answer().get_body().map(|body| body.len()), Some(0));
    let head = run.response_with(200, &[("access-control-allow-methods", "GET")]);
    assert_eq!(head.fields()["access-control-allow-methods"], "GET");
}

#[test]
fn a_refused_origin_is_counted() {
    let h = Harness::<Cors>::yaml("{allow_origins: ['https://a.example']}");
    h.request("GET", "/").header("origin", "https://a.example").run().next();
    h.request("GET", "/").run().next();
    assert_eq!(h.metric("cors_refused_total", None), 0.0);
    h.request("GET", "/").header("origin", "https://b.example").run().next();
    assert_eq!(h.metric("cors_refused_total", None), 1.0);
}

#[test]
fn no_answer_ever_says_star() {
    let h = Harness::<Cors>::yaml("{allow_origins: ['*']}");
    for origin in ["https://a.example", "*", "null", "https://*"] {
        let mut run = h.request("GET", "/").header("origin", origin).run().next();
        let head = run.response_with(200, &[("access-control-allow-origin", "*")]);
        assert_ne!(head.fields().get("access-control-allow-origin").map(|value| value.as_bytes()), Some(&b"*"[..]), "{origin}");
    }
}
