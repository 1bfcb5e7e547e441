//! The `respond` filter from outside.

use filter_respond::{KIND, Respond};
use tollgate_filter_api::{Bytes, Principal};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Respond>(&KIND);
}

#[test]
fn status_body_and_fields_are_those_that_are_written() {
    let filter = Harness::<Respond>::yaml("{ status: 410, headers: { x-why: old }, body: gone }");
    let run = filter.request("GET", "/").given(Principal::anonymous()).run().assert_reply(410, "respond.fixed");
    assert_eq!((run.answer_header("x-why"), run.answer().get_body()), (Some("old"), Some(&Bytes::from_static(b"gone"))));
}

#[test]
fn without_settings_it_does_nothing_and_half_an_answer_is_a_mistake() {
    assert!(Harness::<Respond>::setup().is_idle("{}"));
    assert_eq!(Harness::<Respond>::problem("{ body: gone }").pointer, "/status");
}

#[test]
fn what_http_does_not_allow_does_not_start() {
    let long = format!("{{ status: 200, body: {} }}", "x".repeat((64 << 10) + 1));
    let wrong = [
        ("{ status: 101 }", "/status"),
        ("{ status: 600 }", "/status"),
        ("{ status: 204, body: x }", "/body"),
        ("{ status: 304, body: x }", "/body"),
        (long.as_str(), "/body"),
        ("{ status: 200, headers: { 'a b': x } }", "/headers/a b"),
        ("{ status: 200, headers: { a: \"x\\r\\ny: z\" } }", "/headers/a"),
        ("{ status: 200, headers: { Content-Length: '7' } }", "/headers/Content-Length"),
        ("{ status: 200, headers: { transfer-encoding: chunked } }", "/headers/transfer-encoding"),
    ];
    for (settings, pointer) in wrong {
        assert_eq!(Harness::<Respond>::problem(settings).pointer, pointer, "{settings}");
    }
}
