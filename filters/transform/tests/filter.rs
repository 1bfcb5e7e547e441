//! The `transform` filter from outside.

use filter_transform::{KIND, Transform};
use tollgate_filter_api::{NoCertificate, Peer, Principal};
use tollgate_filter_testkit::{Conformance, Harness};

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
