//! The `media_types` filter from outside.

use filter_media_types::{KIND, MediaTypes};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<MediaTypes>(&KIND);
}

#[test]
fn an_operation_that_declares_nothing_has_nothing_to_compare() {
    assert!(Harness::<MediaTypes>::setup().is_idle("{}"));
    assert!(!Harness::<MediaTypes>::setup().is_idle("{produces: [text/html]}"));
}

#[test]
fn what_no_request_could_have_is_refused_at_load() {
    let problem = Harness::<MediaTypes>::problem("{consumes: [application/json, json]}");
    assert_eq!(problem.pointer, "/consumes/1");
    assert!(problem.hint.contains("x-tollgate-media_types"), "{problem}");
    assert_eq!(Harness::<MediaTypes>::problem("{produces: ['']}").pointer, "/produces/0");
}

/// HTTP/2 needs no field to announce a body.
#[test]
fn a_body_that_no_field_announces_has_a_type_all_the_same() {
    let h = Harness::<MediaTypes>::yaml("{consumes: [application/json]}");
    let post = || h.request("POST", "/").header("content-type", "text/plain");
    post().run().next();
    post().unannounced_body().run().assert_denied(415, "media_types.unsupported");
    h.request("POST", "/").unannounced_body().run().assert_denied(415, "media_types.unsupported");
}

#[test]
fn a_refusal_says_what_is_declared_and_repeats_nothing() {
    let h = Harness::<MediaTypes>::yaml("{consumes: [application/json], produces: [text/csv]}");
    let run = h.request("POST", "/").header("content-type", "a/secret").unannounced_body().run();
    let detail = run.answer().get_detail().unwrap_or_default();
    assert!(detail.contains("application/json") && !detail.contains("secret"), "{detail}");
    let run = h.request("GET", "/").header("accept", "a/secret").run();
    let detail = run.answer().get_detail().unwrap_or_default();
    assert!(detail.contains("text/csv") && !detail.contains("secret"), "{detail}");
}

#[test]
fn what_is_not_declared_of_one_direction_is_not_compared_there() {
    let consuming = Harness::<MediaTypes>::yaml("{consumes: [application/json]}");
    consuming.request("GET", "/").header("accept", "text/x").run().next();
    let producing = Harness::<MediaTypes>::yaml("{produces: [application/json, text/csv]}");
    producing.request("POST", "/").header("content-type", "text/x").unannounced_body().run().next();
    for accept in ["application/json", "text/csv"] {
        producing.request("GET", "/").header("accept", accept).run().next();
    }
}

#[test]
fn what_cannot_be_read_is_none_of_those_declared() {
    let h = Harness::<MediaTypes>::yaml("{consumes: ['image/*'], produces: ['image/*']}");
    let post = |kind: &[u8]| h.request("POST", "/").header("content-type", kind).unannounced_body().run();
    post(b"image/png").next();
    for kind in [&b"image/*"[..], b"*/*", b"image/png\xff", b"image"] {
        post(kind).assert_denied(415, "media_types.unsupported");
    }
    h.request("GET", "/").header("accept", b"\xff").run().assert_denied(406, "media_types.not_acceptable");
}
