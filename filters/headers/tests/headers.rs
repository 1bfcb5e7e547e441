//! The `headers` filter from outside.

use filter_headers::{Headers, KIND};
use tollgate_filter_api::{Principal, PrincipalParts};
use tollgate_filter_testkit::{Conformance, Harness, principal};

#[test]
fn it_conforms() {
    Conformance::<Headers>::new(&KIND).value("4097 letters", "a".repeat(4097)).run();
}

#[test]
fn without_changes_there_is_nothing_to_do() {
    let setup = Harness::<Headers>::setup();
    assert!(setup.is_idle("{}"));
    assert!(setup.is_idle("{request: {set: {}}, response: {remove: []}}"));
}

#[test]
fn framing_hop_by_hop_and_the_gateways_own_headers_are_refused_at_load() {
    let names = [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Trailer",
        "Proxy-Connection",
        "Expect",
        "X-Forwarded-For",
        "x_forwarded_for",
        "Forwarded",
        "Via",
        "Content_Length",
    ];
    for name in names {
        for settings in [
            format!("{{request: {{set: {{{name}: a}}}}}}"),
            format!("{{request: {{remove: [{name}]}}}}"),
            format!("{{request: {{rename: {{x-a: {name}}}}}}}"),
            format!("{{response: {{rename: {{{name}: x-a}}}}}}"),
            format!("{{response: {{add: {{{name}: a}}}}}}"),
        ] {
            let problem = Harness::<Headers>::problem(&settings);
            assert!(problem.message.contains("cannot be changed"), "{settings}: {problem}");
        }
    }
}

#[test]
fn a_problem_names_the_place() {
    for (settings, pointer) in [
        ("{request: {set: {X-A: '${nobody}'}}}", "/request/set/X-A"),
        ("{response: {remove: [X-A, 'X B']}}", "/response/remove/1"),
        ("{response: {add: {X-A: \"a\\nb\"}}}", "/response/add/X-A"),
    ] {
        assert_eq!(Harness::<Headers>::problem(settings).pointer, pointer);
    }
    let hint = Harness::<Headers>::problem("{request: {set: {X-A: '${nobody}'}}}").hint;
    assert!(hint.contains("principal.subject"), "{hint}");
}

#[test]
fn a_header_that_is_changed_twice_is_refused_whatever_its_spelling() {
    for settings in [
        "{request: {set: {X-A: a}, remove: [x-a]}}",
        "{request: {set: {X-A: a}, add: {x_a: b}}}",
        "{response: {rename: {x-a: x-b}, set: {X-B: b}}}",
        "{response: {remove: [x-a, X-A]}}",
    ] {
        assert!(Harness::<Headers>::problem(settings).message.contains("changed twice"), "{settings}");
    }
}

#[test]
fn a_value_of_exactly_the_bound_is_sent() {
    let h = Harness::<Headers>::yaml("{request: {set: {X-User: '${principal.subject}'}}}");
    let name = "a".repeat(4096);
    let run = h.request("GET", "/").given(principal(&name)).run().next();
    assert_eq!(run.header("x-user"), Some(name.as_str()));
}

#[test]
fn a_value_for_the_way_back_that_is_too_long_ends_the_request_before_the_upstream_acts() {
    let h = Harness::<Headers>::yaml("{response: {set: {X-User: '${principal.subject}'}}}");
    h.request("GET", "/").given(principal(&"a".repeat(4097))).run().assert_denied(431, "headers.value_too_long");
}

#[test]
fn every_fact_is_written() {
    let h = Harness::<Headers>::yaml(
        "{request: {set: {x-c: '${operation.method} ${operation.template} ${api.base_path}', \
         x-p: '${principal.issuer} ${principal.scopes} ${principal.key_type}'}}}",
    );
    let scopes = vec!["read".to_owned(), "write".to_owned()];
    let parts = PrincipalParts { filter: "test", issuer: Some("https://idp.example".into()), scopes, ..PrincipalParts::default() };
    let run = h.request("GET", "/orders").given(Principal::new(parts)).run().next();
    assert_eq!(run.header("x-c"), Some("GET /orders /"));
    assert_eq!(run.header("x-p"), Some("https://idp.example read,write production"));
}

#[test]
fn each_attempt_and_each_answer_is_changed_alike() {
    let h = Harness::<Headers>::yaml("{request: {set: {x-a: a}}, response: {set: {x-b: '${principal.subject}'}}}");
    let mut run = h.request("GET", "/").given(principal("ada")).run().next();
    for _ in 0..2 {
        assert_eq!(run.upstream().fields()["x-a"], "a");
        assert_eq!(run.response_with(200, &[("x-b", "upstream")]).fields()["x-b"], "ada");
    }
}
