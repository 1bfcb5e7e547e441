//! The `transform` filter from outside.

use filter_transform::{KIND, Transform};
use tollgate_filter_api::{NoCertificate, Peer, Principal};
use tollgate_filter_testkit::{Conformance, Harness, Run};

#[test]
fn it_conforms() {
    Conformance::<Transform>::new(&KIND).value("4097 letters", "a".repeat(4097)).value("160 letters", "a".repeat(160)).run();
}

#[test]
fn without_changes_there_is_nothing_to_do() {
    let setup = Harness::<Transform>::setup();
    assert!(setup.is_idle("{}"));
    assert!(setup.is_idle("{request: {query: {set: {}}, body: []}, response: {redact: []}}"));
    assert!(!setup.is_idle("{response: {redact: [/a]}}"));
}

#[test]
fn what_cannot_be_done_is_refused_at_load_with_its_place() {
    for (settings, pointer) in [
        ("{request: {method: HEAD}}", "/request/method"),
        ("{request: {method: put}}", "/request/method"),
        ("{request: {path: a}}", "/request/path"),
        ("{request: {path: /a/../b}}", "/request/path"),
        ("{request: {path: '/a?b=c'}}", "/request/path"),
        ("{request: {path: '/${path.}'}}", "/request/path"),
        ("{request: {headers: {set: {Host: a}}}}", "/request/headers/set/Host"),
        ("{request: {cookies: {remove: ['a b']}}}", "/request/cookies/remove/0"),
        ("{request: {body: [{remove: ['']}]}}", "/request/body/0/remove/0"),
        ("{request: {body: [{merge: {}}, {patch: [{op: add, path: a, value: 1}]}]}}", "/request/body/1/patch/0/path"),
        ("{request: {body: [{merge: {a: '${b}'}}]}}", "/request/body/0/merge/a"),
        ("{request: {body: [{merge: {}, remove: []}]}}", "/request/body/0"),
        ("{request: {body: [{}]}}", "/request/body/0"),
        ("{request: {body: [{template: {text: '{{ a'}}]}}", "/request/body/0/template/text"),
        ("{request: {body: [{template: {text: a, type: json}}]}}", "/request/body/0/template/type"),
        ("{request: {body: [{template: {text: a, type: text/plain}}, {remove: [/a]}]}}", "/request/body/1"),
        ("{response: {status: {200: 204}}}", "/response/status/200"),
        ("{response: {status: {1: 200}}}", "/response/status/1"),
        ("{response: {statuses: [100], redact: [/a]}}", "/response/statuses"),
        ("{response: {remove_cookies: ['']}}", "/response/remove_cookies/0"),
        ("{response: {redact: [a]}}", "/response/redact/0"),
        ("{response: {redact: [/a]}, limits: {depth: 300}}", "/limits/depth"),
    ] {
        assert_eq!(Harness::<Transform>::problem(settings).pointer, pointer, "{settings}");
    }
}

#[test]
fn a_fact_cannot_become_a_dot_segment_or_a_second_segment() {
    let h = Harness::<Transform>::yaml("{request: {path: '/files/${query.name}/x'}}");
    let run = |query: &str| {
        h.request("GET", &format!("/a?name={query}")).given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run()
    };
    for dots in ["..", "%2e%2e", ".", ""] {
        run(dots).assert_denied(400, "transform.path");
    }
    let passed = run("..%2F..").next();
    assert_eq!(passed.request().path(), "/files/..%2F../x", "which the gateway refuses when it judges the path");
}

/// What a template that is given `{"n":1}` comes to.
fn written(template: &str) -> Run {
    let settings = serde_json::json!({ "request": { "body": [{ "template": { "text": template } }] }, "limits": { "body": "64KiB" } });
    let h = Harness::<Transform>::yaml(&settings.to_string());
    let request = h.request("POST", "/").header("content-type", "application/json").body(r#"{"n":1,"s":"xxxxxxxxxxxxxxxx"}"#);
    request.given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run()
}

#[test]
fn a_template_ends_by_its_budget() {
    for hostile in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{{ body.s * 100000000 }}",
        "{% set ns = namespace(s=body.s) %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    ] {
        written(hostile).assert_denied(422, "transform.unfit");
    }
    written("{% for i in range(9000) %}{{ body.s }}{% endfor %}").assert_denied(413, "transform.too_long");
}

#[test]
fn what_is_to_be_json_must_come_out_as_json() {
    assert_eq!(written("[{{ body.n }}]").next().body(), Some(&b"[1]"[..]));
    for broken in ["{{ body.n }},", "{\"a\":1,\"a\":2}", ""] {
        written(broken).assert_denied(422, "transform.unfit");
    }
}

#[test]
fn a_template_can_make_a_body_for_a_request_that_has_none() {
    let h = Harness::<Transform>::yaml("{request: {method: POST, body: [{template: {text: '{\"id\": {{ query.id }}}'}}]}}");
    let run = h.request("GET", "/?id=7").body("").given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run().next();
    assert_eq!((run.body(), run.header("content-type")), (Some(&b"{\"id\": \"7\"}"[..]), Some("application/json")));
}

#[test]
fn what_no_client_sees_is_taken_out_of_json_whatever_the_steps_read() {
    let settings = "{response: {statuses: [200], body: [{to_json: {}}], redact: [/secret], other_bodies: pass}}";
    let h = Harness::<Transform>::yaml(settings);
    let json = [("content-type", "application/json")];
    for status in [200, 404] {
        let mut run = h.request("GET", "/").given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run().next();
        let (_, body) = run.answer_with(status, &json, r#"{"secret":1,"a":2}"#);
        assert_eq!(&*body, br#"{"a":2}"#, "{status}");
    }
    let mut run = h.request("GET", "/").given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run().next();
    let (head, body) = run.answer_with(200, &[("content-type", "text/xml")], "<x><secret>1</secret><a>2</a></x>");
    assert_eq!(&*body, br#"{"a":"2"}"#);
    assert!(head.fields()["content-type"] == "application/json");
}

#[cfg(feature = "wasm")]
#[test]
fn a_program_without_an_end_ends_its_own_request_and_the_next_one_is_served() {
    let run = |program: &str, body: &str| {
        let settings = serde_json::json!({ "request": { "body": [{ "jq": program }] }, "limits": { "jq": "200ms" } });
        let h = Harness::<Transform>::yaml(&settings.to_string());
        let request = h.request("POST", "/").header("content-type", "application/json").body(body.to_owned());
        request.given(Principal::anonymous()).given(Peer::Anonymous(NoCertificate::Plain)).run()
    };
    for endless in ["def f: f; f", "[repeat(1)]", "\"x\" * 4e9"] {
        run(endless, "{}").assert_denied(422, "transform.unfit");
        run(".", "{\"a\":1.10}").next();
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    run(".", &deep).assert_denied(400, "transform.body");
    for (wrong, pointer) in [(".a[", "/request/body/0/jq"), ("env", "/request/body/0/jq")] {
        let settings = format!("{{request: {{body: [{{jq: '{wrong}'}}]}}}}");
        assert_eq!(Harness::<Transform>::problem(&settings).pointer, pointer, "{wrong}");
    }
}
