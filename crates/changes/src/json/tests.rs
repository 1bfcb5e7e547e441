use serde_json::{Value as Json, json};
use tollgate_filter_api::Problem;

use super::*;
use crate::testing::seeing;

const MOST: usize = 10_000;

fn made(slots: &Slots) -> Made {
    seeing("/v1/pets/7?q=a%22b", None, |seen| slots.render(seen).expect("it is short"))
}

fn patched(text: &str, patch: Json) -> Result<String, Failed> {
    let mut slots = Slots::default();
    let patch = Patch::parse(&patch, "/patch", &mut slots).expect("it is a patch");
    let (made, mut doc) = (made(&slots), Doc::new(text));
    patch.apply(&mut doc, &made, MOST)?;
    doc.write(MOST)
}

fn merged(text: &str, patch: Json) -> String {
    let mut slots = Slots::default();
    let merge = Merge::parse(&patch, "/merge", &mut slots).expect("it is a patch");
    let (made, mut doc) = (made(&slots), Doc::new(text));
    merge.apply(&mut doc, &made);
    doc.write(MOST).expect("it is short")
}

fn removed(text: &str, pointers: &[&str]) -> String {
    let pointers: Vec<String> = pointers.iter().map(|pointer| (*pointer).to_owned()).collect();
    let mut doc = Doc::new(text);
    Remove::parse(&pointers, "/remove").expect("they are pointers").apply(&mut doc);
    doc.write(MOST).expect("it is short")
}

/// RFC 6902, appendix A.
#[test]
fn the_examples_of_the_standard_come_out_as_it_says() {
    let (op, ok) = (|operation: Json| json!([operation]), |text: &str| Ok(text.to_owned()));
    let add = |path: &str, value: Json| op(json!({ "op": "add", "path": path, "value": value }));
    assert_eq!(patched(r#"{"foo":"bar"}"#, add("/baz", json!("qux"))), ok(r#"{"foo":"bar","baz":"qux"}"#));
    assert_eq!(patched(r#"{"foo":["bar","baz"]}"#, add("/foo/1", json!("qux"))), ok(r#"{"foo":["bar","qux","baz"]}"#));
    assert_eq!(patched(r#"{"foo":["bar"]}"#, add("/foo/-", json!(["abc"]))), ok(r#"{"foo":["bar",["abc"]]}"#));
    assert_eq!(patched(r#"{"foo":1}"#, add("/foo", Json::Null)), ok(r#"{"foo":null}"#));
    assert_eq!(patched(r#"{"foo":"bar"}"#, add("/baz/bat", json!(1))), Err(Failed::Missing));
    assert_eq!(patched(r#"["a"]"#, add("/2", json!(1))), Err(Failed::Missing));
    assert_eq!(patched(r#"{"a":1,"b":2}"#, op(json!({ "op": "remove", "path": "/a" }))), ok(r#"{"b":2}"#));
    assert_eq!(patched(r#"[1,2,3]"#, op(json!({ "op": "remove", "path": "/1" }))), ok("[1,3]"));
    assert_eq!(patched(r#"{"a":1}"#, op(json!({ "op": "replace", "path": "/a", "value": 2 }))), ok(r#"{"a":2}"#));
    assert_eq!(patched(r#"{"a":1}"#, op(json!({ "op": "replace", "path": "/b", "value": 2 }))), Err(Failed::Missing));
    let moved = op(json!({ "op": "move", "from": "/foo/waldo", "path": "/qux/thud" }));
    let text = r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#;
    assert_eq!(patched(text, moved), ok(r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#));
    assert_eq!(patched(r#"{"/":9,"~1":10}"#, op(json!({ "op": "test", "path": "/~01", "value": 10 }))), ok(r#"{"/":9,"~1":10}"#));
    assert_eq!(patched(r#"{"a":"1"}"#, op(json!({ "op": "test", "path": "/a", "value": 1 }))), Err(Failed::Test));
    assert!(patched(r#"{"a":[1, {"b":1.0}]}"#, op(json!({ "op": "test", "path": "/a", "value": [1.0, { "b": 1 }] }))).is_ok());
    assert_eq!(patched(r#"{"a":1}"#, op(json!({ "op": "add", "path": "", "value": [] }))), ok("[]"));
}

#[test]
fn what_is_not_touched_goes_on_byte_for_byte() {
    let text = "{\"n\": 1.10, \"big\":12345678901234567890123 , \"e\":1e400,\"s\":\"\\u00e9\\/\",\"z\":{ \"b\" : 1,\"a\":[ ] },\"x\":1}";
    let expected = "{\"n\":1.10,\"big\":12345678901234567890123,\"e\":1e400,\"s\":\"\\u00e9\\/\",\"z\":{ \"b\" : 1,\"a\":[ ] }}";
    assert_eq!(removed(text, &["/x", "/none/at/all"]), expected);
}

#[test]
fn documents_cannot_grow_without_bound() {
    let doubling: Vec<Json> = (0..40).map(|at| json!({ "op": "copy", "from": "", "path": format!("/{at}") })).collect();
    assert_eq!(patched(r#"{"a":"bbbbbbbbbb"}"#, Json::Array(doubling)), Err(Failed::TooLong));
}

#[test]
fn a_wildcard_is_every_member_and_every_item() {
    let text = r#"{"items":[{"owner":{"id":1,"secret":2}},{"owner":null},7,{"owner":{"secret":3}}],"secret":4}"#;
    assert_eq!(removed(text, &["/items/*/owner/secret"]), r#"{"items":[{"owner":{"id":1}},{"owner":null},7,{"owner":{}}],"secret":4}"#);
    assert_eq!(removed(r#"{"a":{"x":1,"y":2},"b":[1,2]}"#, &["/a/*", "/b/*"]), r#"{"a":{},"b":[]}"#);
    assert_eq!(removed(r#"{"\u0073ecret":1,"b":2}"#, &["/secret"]), r#"{"b":2}"#, "a name is what it spells");
}

/// RFC 7396, appendix A.
#[test]
fn merges_come_out_as_the_standard_says() {
    for (text, patch, expected) in [
        (r#"{"a":"b"}"#, json!({ "a": "c" }), r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, json!({ "b": "c" }), r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b","b":"c"}"#, json!({ "a": null }), r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, json!({ "a": "c" }), r#"{"a":"c"}"#),
        (r#"{"a":{"b":"c"}}"#, json!({ "a": { "b": "d", "c": null } }), r#"{"a":{"b":"d"}}"#),
        (r#"["a"]"#, json!(["c", null]), r#"["c",null]"#),
        (r#"{"a":"foo"}"#, json!("bar"), r#""bar""#),
        (r#"{"e":null}"#, json!({ "a": 1 }), r#"{"e":null,"a":1}"#),
        ("[1,2]", json!({ "a": "b", "c": null }), r#"{"a":"b"}"#),
        ("{}", json!({ "a": { "bb": { "ccc": null } } }), r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(merged(text, patch.clone()), expected, "{text} {patch}");
    }
}

#[test]
fn values_hold_facts_as_strings_and_stay_one_value() {
    let add = json!([{ "op": "add", "path": "/q", "value": { "id": "${path.id}", "q": "<${query.q}>", "none": "${query.none}" } }]);
    assert_eq!(patched("{}", add), Ok(r#"{"q":{"id":"7","q":"<a\"b>","none":null}}"#.to_owned()));
    assert_eq!(merged(r#"{"caller":"forged","a":1}"#, json!({ "caller": "${principal.subject}" })), r#"{"a":1}"#);
}

#[test]
fn what_is_no_patch_is_refused_with_its_place() {
    for (wrong, pointer) in [
        (json!({}), "/patch"),
        (json!([{ "op": "add", "path": "/a" }]), "/patch/0"),
        (json!([{ "op": "ad", "path": "/a" }]), "/patch/0/op"),
        (json!([{ "op": "remove", "path": "a" }]), "/patch/0/path"),
        (json!([{ "op": "remove", "path": "/a~2" }]), "/patch/0/path"),
        (json!([{ "op": "remove", "path": "/a", "value": 1 }]), "/patch/0/value"),
        (json!([{ "op": "move", "from": "/a", "path": "/a/b" }]), "/patch/0/path"),
        (json!([{ "op": "add", "path": "/a", "value": { "b": ["${x}"] } }]), "/patch/0/value/b/0"),
    ] {
        let problem: Problem = Patch::parse(&wrong, "/patch", &mut Slots::default()).expect_err("it is no patch");
        assert_eq!(problem.pointer, pointer, "{wrong}: {problem}");
    }
}
