//! The `error_pages` filter from outside.

use filter_error_pages::{ErrorPages, KIND};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<ErrorPages>(&KIND);
}

#[test]
fn a_page_for_a_status_that_no_client_of_this_kind_takes_leaves_room_for_that_of_its_class() {
    let filter = Harness::<ErrorPages>::yaml(
        "{ pages: { '404': [{ type: text/html, text: a }], 4xx: [{ type: application/json, text: b }], default: [{ type: text/plain, text: c }] } }",
    );
    let body = |accept: &str, status: u16| {
        let page = filter.request("GET", "/").header("accept", accept).run().next().page(status)?;
        Some(String::from_utf8(page.body.to_vec()).expect("it is text"))
    };
    assert_eq!(body("text/html", 404).as_deref(), Some("a"));
    assert_eq!(body("application/json", 404).as_deref(), Some("b"));
    assert_eq!(body("text/plain", 404).as_deref(), Some("c"));
    assert_eq!(body("text/html", 405), None);
    assert_eq!(body("*/*", 500).as_deref(), Some("c"));
    assert_eq!(body("*/*", 302), None, "that is no refusal");
}

#[test]
fn only_where_it_is_asked_for_are_answers_of_the_upstream_read() {
    let reads = |settings: &str, status: u16| {
        let filter = Harness::<ErrorPages>::yaml(settings);
        let head = tollgate_filter_api::ResponseHead::build(status).expect("it is a status");
        filter.request("GET", "/").run().next().reads(&head)
    };
    let page = "[{ type: text/html, text: a }]";
    assert!(!reads(&format!("{{ pages: {{ default: {page} }} }}"), 500));
    assert!(reads(&format!("{{ upstream: true, pages: {{ default: {page} }} }}"), 500));
    assert!(!reads(&format!("{{ upstream: true, pages: {{ default: {page} }} }}"), 200));
    assert!(!reads(&format!("{{ upstream: true, pages: {{ '404': {page} }} }}"), 403));
    assert!(reads(&format!("{{ upstream: true, pages: {{ 4xx: {page} }} }}"), 403));
}

#[test]
fn what_cannot_be_sent_does_not_start() {
    let long = format!("{{ pages: {{ default: [{{ type: text/html, text: {} }}] }} }}", "x".repeat((256 << 10) + 1));
    for (settings, pointer) in [
        ("{ pages: { '200': [{ type: text/html, text: a }] } }", "/pages/200"),
        ("{ pages: { 6xx: [{ type: text/html, text: a }] } }", "/pages/6xx"),
        ("{ pages: { '404': [] } }", "/pages/404"),
        ("{ pages: { '404': [{ type: html, text: a }] } }", "/pages/404/0/type"),
        ("{ pages: { '404': [{ type: 'text/*', text: a }] } }", "/pages/404/0/type"),
        ("{ pages: { '404': [{ type: text/html }] } }", "/pages/404/0"),
        ("{ pages: { '404': [{ type: text/html, text: a, file: b }] } }", "/pages/404/0"),
        ("{ pages: { '404': [{ type: text/html, file: none.html }] } }", "/pages/404/0/file"),
        ("{ pages: { '404': [{ type: text/html, text: '${host}' }] } }", "/pages/404/0/text"),
        ("{ pages: { '404': [{ type: text/css, text: '${status}' }] } }", "/pages/404/0/text"),
        (long.as_str(), "/pages/default/0/text"),
    ] {
        let problem = Harness::<ErrorPages>::problem(settings);
        assert_eq!(problem.pointer, pointer, "{settings:.80}");
        assert!(!problem.hint.is_empty(), "{settings:.80}");
    }
    let bytes = Harness::<ErrorPages>::setup().document("bad.html", &b"\xff"[..]);
    assert_eq!(bytes.problem("{ pages: { '404': [{ type: text/html, file: bad.html }] } }").pointer, "/pages/404/0/file");
    assert!(Harness::<ErrorPages>::setup().is_idle("{ upstream: true }"));
}
