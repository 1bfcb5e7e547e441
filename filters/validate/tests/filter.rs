//! The `validate` filter from outside.

use filter_validate::{KIND, Validate};
use serde_json::json;
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Validate>(&KIND);
}

#[test]
fn the_most_precise_of_the_modes_of_an_api_counts() {
    let config = "{apis: [{name: Pets, request: off}, {name: Pets, version: '2', request: report, response: report}]}";
    let rules =
        |api: &str, version: &str| json!({ "api": api, "version": version, "template": "/", "body": { "source": "a:1", "content": [] } });
    let idle = |api: &str, version: &str| Harness::<Validate>::setup().declared(rules(api, version)).is_idle(config);
    assert!(idle("Pets", "1"));
    assert!(!idle("Pets", "2"));
    assert!(!idle("Others", "1"));
}

/// An operation whose answers are declared so, and that needs `n` in its query.
fn answering(settings: &str, status: &str, range: &str) -> Harness<Validate> {
    let schemas = json!({ "schemas": [{ "schema": { "type": "object" }, "file": "api.yaml" }] });
    let content = json!([{ "range": range, "schema": 0, "source": "api.yaml:2" }]);
    let answers = json!([{ "status": status, "content": content, "source": "api.yaml:1" }]);
    let parameters = json!([{ "in": "query", "name": "n", "required": true, "form": { "style": "form" }, "source": "api.yaml:3" }]);
    let setup = Harness::<Validate>::setup().declared_once(schemas);
    setup.declared(json!({ "template": "/x", "parameters": parameters, "answers": answers })).yaml(settings)
}

#[test]
fn answers_of_every_media_type_in_a_declared_range_are_held() {
    let harness = answering("response: enforce", "200", "*/*");
    let mut run = harness.request("GET", "/x?n=1").run().next();
    for (media_type, held) in [("application/json", true), ("text/plain", true), ("text/event-stream", false)] {
        let head = run.response_with(200, &[("content-type", media_type)]);
        assert_eq!(run.reads(&head), held, "{media_type}");
    }
}

#[test]
fn what_is_reported_of_an_answer_is_about_a_body_that_the_upstream_sent() {
    let harness = answering("response: report", "default", "application/json");
    let reported = || harness.metric("validate_reported_total", None);
    let answered = |target: &str, status: u16, fields: &[(&str, &str)], sent: &'static [u8]| {
        let mut run = harness.request("GET", target).run();
        run.response_with(status, fields);
        run.chunk(Some(sent.into()), true);
        run.done_after(status, 0, sent.len() as u64);
        reported()
    };
    assert_eq!(answered("/x?n=1", 204, &[], b""), 0.0);
    assert_eq!(answered("/x?n=1", 206, &[("content-type", "application/json")], b"{\"a"), 0.0);
    // The gateway's own, since `n` is missing.
    assert_eq!(answered("/x", 400, &[("content-type", "application/problem+json")], b"{}"), 0.0);
    assert_eq!(answered("/x?n=1", 200, &[("content-type", "application/json")], b"{}"), 0.0);
    assert_eq!(answered("/x?n=1", 200, &[("content-type", "application/json")], b"[]"), 1.0);
    assert_eq!(answered("/x?n=1", 200, &[("content-type", "text/plain")], b"{}"), 2.0);
    assert_eq!(answered("/x?n=1", 200, &[], b"{}"), 3.0);
}

#[test]
fn an_answer_that_is_not_held_where_answers_are_enforced_is_told_of() {
    let harness = answering("response: enforce", "200", "application/json");
    let reported = || harness.metric("validate_reported_total", None);
    let mut run = harness.request("GET", "/x?n=1").run().next();
    let head = run.response_with(200, &[("content-type", "text/html")]);
    assert!(!run.reads(&head));
    run.done_after(200, 0, 5);
    assert_eq!(reported(), 1.0);
    let mut run = harness.request("GET", "/x?n=1").run().next();
    run.answer_with(200, &[("content-type", "application/json")], "{}");
    run.response_with(200, &[("content-type", "application/json")]);
    run.done_after(200, 0, 2);
    assert_eq!(reported(), 1.0);
}

#[test]
fn an_interim_answer_that_is_declared_has_no_final_one_held() {
    let harness = answering("response: enforce", "1XX", "application/json");
    let mut run = harness.request("GET", "/x?n=1").run().next();
    let head = run.response_with(200, &[("content-type", "application/json")]);
    assert!(!run.reads(&head));
}

#[test]
fn a_depth_that_could_take_all_of_a_stack_is_refused() {
    let problem = Harness::<Validate>::setup().declared(json!({ "body": { "content": [], "required": true, "source": "" } }));
    assert_eq!(problem.problem("limits: { depth: 257 }").code, "validate.depth");
}
