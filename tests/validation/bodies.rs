//! Bodies that are not JSON, and what is said of a body before anybody reads it.

use serde_json::{Value, json};

use super::world::{Asked, World, definition, takes};

fn taking(media: Value) -> Value {
    json!({ "post": { "requestBody": { "required": true, "content": media }, "responses": { "200": { "description": "ok" } } } })
}

fn hold(paths: Value, cases: &[(Asked, bool)]) -> World {
    let world = World::serving(&definition("3.0.3", paths));
    let wrong = world.differences(cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world
}

fn send(path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Asked {
    Asked::new(format!("{path} as {content_type}"), "POST", path).field(format!("Content-Type: {content_type}")).body(body)
}

#[test]
fn xml_is_held_to_its_schema_by_the_hints_of_the_definition() {
    let pet = json!({
        "type": "object", "required": ["id", "name"], "xml": { "name": "pet" }, "additionalProperties": false,
        "properties": {
            "id": { "type": "integer", "xml": { "attribute": true } },
            "name": { "type": "string", "maxLength": 5 },
            "tags": { "type": "array", "xml": { "wrapped": true }, "items": { "type": "string", "xml": { "name": "tag" } } },
        },
    });
    let xml = |body: &str| send("/pet", "application/xml", body);
    let cases = [
        (xml("<pet id='1'><name>a</name><tags><tag>x</tag><tag>y</tag></tags></pet>"), true),
        (xml("<?xml version='1.0'?>\n<pet id='1'><!-- c --><name>a&amp;b</name></pet>"), true),
        (xml("<pet id='x'><name>a</name></pet>"), false),
        (xml("<pet><name>a</name></pet>"), false),
        (xml("<pet id='1'/>"), false),
        (xml("<pet id='1'><name>longer</name></pet>"), false),
        (xml("<pet id='1'><name>a</name><other/></pet>"), false),
        (xml("<dog id='1'><name>a</name></dog>"), false),
        (xml("<pet id='1'><name>a</name>"), false),
        (xml("<pet id='1'><name>a</name></pet><pet/>"), false),
        (xml("<!DOCTYPE pet [<!ENTITY a 'b'>]><pet id='1'><name>&a;</name></pet>"), false),
    ];
    hold(json!({ "/pet": taking(json!({ "application/xml": { "schema": pet } })) }), &cases);
}

#[test]
fn texts_and_parts_are_held_to_their_schemas() {
    let meta = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let parts = json!({ "type": "object", "required": ["meta"], "additionalProperties": false, "properties": {
        "meta": meta, "file": { "type": "string", "format": "binary" }, "count": { "type": "integer" },
    } });
    let text = |body: &[u8]| send("/text", "text/plain", body);
    let multipart = |parts: &[(&str, &str)]| {
        let body: String =
            parts.iter().map(|(head, value)| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n")).collect();
        send("/parts", "multipart/form-data; boundary=b", format!("{body}--b--\r\n"))
    };
    let meta = |value| ("name=\"meta\"\r\nContent-Type: application/json", value);
    let cases = [
        (text(b"abc"), true),
        (text("äöü".as_bytes()), true),
        (text(b"abcd"), false),
        (text(b"a\xff"), false),
        (multipart(&[meta(r#"{"n":1}"#)]), true),
        (multipart(&[meta(r#"{"n":1}"#), ("name=\"file\"; filename=\"x\"", "\u{0}\u{1}"), ("name=\"count\"", "7")]), true),
        (multipart(&[meta(r#"{"n":"x"}"#)]), false),
        (multipart(&[meta(r#"{"n":1}"#), ("name=\"count\"", "seven")]), false),
        (multipart(&[meta(r#"{"n":1}"#), ("name=\"other\"", "1")]), false),
        (multipart(&[("name=\"count\"", "7")]), false),
        (multipart(&[meta(r#"{"n":1}"#), meta(r#"{"n":2}"#)]), false),
        (send("/parts", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"meta\"\r\n\r\n{\"n\":1}"), false),
    ];
    let text = taking(json!({ "text/plain": { "schema": { "type": "string", "maxLength": 3 } } }));
    hold(json!({ "/text": text, "/parts": taking(json!({ "multipart/form-data": { "schema": parts } })) }), &cases);
}

#[test]
fn what_is_said_of_a_body_is_judged_before_the_body() {
    let schema = json!({ "type": "object" });
    let media = json!({ "application/json": { "schema": schema }, "application/*": { "schema": { "type": "integer" } }, "text/plain; charset=utf-8": {} });
    let cases = [
        (send("/x", "application/json", "{}"), true),
        (send("/x", "APPLICATION/JSON ; a=\"b;c\"", "{}"), true),
        (send("/x", "application/json; charset=us-ascii", "{}"), true),
        (send("/x", "application/problem+json", "1"), true),
        (send("/x", "application/problem+json", "{}"), false),
        (send("/x", "image/png", "{}"), false),
        (send("/x", "application/json; charset=utf-16", "{}"), false),
        (send("/x", "application/json, text/plain", "{}"), false),
        (send("/x", "json", "{}"), false),
        (Asked::new("none", "POST", "/x").body("{}"), false),
        (send("/x", "application/json", "{}").field("Content-Type: text/plain"), false),
        (send("/x", "application/json", "{}").field("Content-Encoding: br"), false),
        (send("/x", "application/json", "{}").field("Content-Encoding: identity"), true),
        (send("/x", "application/json", "{}").field("Content-Encoding: gzip"), false),
    ];
    let world = hold(json!({ "/x": taking(media), "/free": { "post": takes(json!({})) } }), &cases);
    for (content_type, more) in
        [("image/png", None), ("application/json; charset=utf-16", None), ("application/json", Some("Content-Encoding: br"))]
    {
        let asked = send("/x", content_type, "{}");
        let asked = more.map_or(asked.clone(), |field| asked.field(field));
        let verdict = world.ask(asked);
        assert_eq!((verdict.status(), verdict.problem()["reason"].as_str()), (415, Some("validate.media_type")), "{content_type}");
    }
    assert_eq!(world.ask(send("/free", "application/json", "null")).status(), 200);
}

#[test]
fn a_small_body_that_becomes_a_large_one_is_refused_before_it_is_large() {
    // Compressed by the validator of the tests, about a thousandfold.
    let zeros = format!("\"{}\"", "0".repeat(12 << 20));
    let judged = tollgate_tests::parts::jsonschema::judge(&json!({ "any": {} }), &[("any".to_owned(), zeros)]);
    let world = World::serving(&definition("3.0.3", json!({ "/x": { "post": takes(json!({ "type": "string" })) } })));
    let before = world.gateway.memory_bytes();
    let verdict = world.ask(send("/x", "application/json", judged[0].gzip.clone()).field("Content-Encoding: gzip"));
    assert!(verdict.refused(), "{verdict:?}");
    assert_eq!(verdict.rules(), ["size"]);
    let grown = world.gateway.memory_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{} bytes became {grown} more of memory", judged[0].gzip.len());
}
