//! The `cors` filter from outside.

use filter_cors::{Cors, KIND};
use tollgate_filter_testkit::{Harness, Run, conformance};

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
    let mut literally = h.request("GET", "/").header("origin", "test.com").run().next();
    assert!(literally.response(200).fields().get("access-control-allow-origin").is_none(), "what is no origin is not echoed");
}

/// A preflight from the origin that is allowed.
fn preflight(h: &Harness<Cors>, method: &str, headers: &[&str]) -> Run {
    let request = h.request("OPTIONS", "/").path_methods(&["GET", "PUT", "DELETE"]).header("origin", "https://a.example");
    let request = request.header("access-control-request-method", method);
    headers.iter().fold(request, |request, names| request.header("access-control-request-headers", names)).run()
}

#[test]
fn only_methods_and_headers_that_are_listed_are_allowed() {
    let listed = Harness::<Cors>::yaml("{allow_origins: ['https://a.example'], allow_methods: [put, GET], allow_headers: [X-A, x-b]}");
    for method in ["GET", "PUT"] {
        let run = preflight(&listed, method, &["x-a, X-B", "x-a,,"]).assert_reply(200, "cors.preflight");
        assert_eq!(run.answer_header("access-control-allow-headers"), Some("x-a, x-b, x-a"));
    }
    for (method, headers) in [("DELETE", &[][..]), ("GET", &["x-c"]), ("GET", &["x-a, x-c"]), ("GET", &["x-a", "x-c"]), ("GET", &["*"])] {
        let mut run = preflight(&listed, method, headers).next();
        let answer = run.response(204);
        assert!(!answer.fields().keys().any(|name| name.as_str().starts_with("access-control-")), "{method} {headers:?}");
    }
    let all = Harness::<Cors>::yaml("{allow_origins: ['https://a.example'], allow_methods: ['*'], allow_headers: ['*']}");
    preflight(&all, "DELETE", &["x-c"]).assert_reply(200, "cors.preflight");
}

#[test]
fn only_options_asks_before_a_request() {
    let h = Harness::<Cors>::yaml("{allow_origins: ['https://a.example']}");
    let request = h.request("GET", "/").header("origin", "https://a.example").header("access-control-request-method", "GET");
    let mut run = request.run().next();
    assert_eq!(run.response(200).fields()["access-control-allow-origin"], "https://a.example");
}

#[test]
fn every_header_is_exposed_only_to_pages_without_credentials() {
    let settings = "{allow_origins: ['https://a.example'], expose_headers: ['*']}";
    let mut run = Harness::<Cors>::yaml(settings).request("GET", "/").header("origin", "https://a.example").run().next();
    assert_eq!(run.response(200).fields()["access-control-expose-headers"], "*");
    let credentials = settings.replace("{a", "{allow_credentials: true, a");
    assert_eq!(Harness::<Cors>::problem(&credentials).pointer, "/expose_headers");
    Harness::<Cors>::yaml(&credentials.replace("'*'", "x-a"));
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
