use serde_json::json;

use super::*;

fn item_rule(range: &str, schema: Option<u32>, item_schema: Option<u32>) -> MediaRule {
    MediaRule { item_schema, ..rule(range, schema) }
}

/// Each item is an integer, or an object with one that has a name.
fn judge(range: &str) -> Judge {
    Judge::of(&[item_rule(range, None, Some(0))], &[json!({"type": ["integer", "object"], "properties": {"name": {"type": "integer"}}})])
}

#[test]
fn each_line_is_judged_alone() {
    for range in ["application/jsonl", "application/x-ndjson", "application/ndjson"] {
        let judge = judge(range);
        for good in ["", "1", "1\n", "1\n2\n", "1\r\n2\r\n", "{\"name\":1}\n{\"name\":2}"] {
            assert!(judge.told(range, good).is_empty(), "{good:?}");
        }
        for (bad, told) in [
            ("1\n2\n3\n{\"name\":\"x\"}\n\"y\"", vec!["type /3/name", "type /4"]),
            ("1\n{\n2", vec!["json /1"]),
            ("1\n\n2", vec!["json /1"]),
            ("1 2", vec!["json /0"]),
            ("[1,\n2]", vec!["json /0"]),
            ("{\"a\":1,\"a\":1}", vec!["duplicate-name /0"]),
        ] {
            assert_eq!(judge.told(range, bad), told, "{bad:?}");
        }
    }
}

#[test]
fn each_record_of_a_text_sequence_is_judged_alone() {
    let judge = judge("application/json-seq");
    for range in ["application/json-seq", "application/json-seq; charset=utf-8"] {
        assert!(judge.told(range, "\x1e1\n\x1e{\"name\":\n1}\n").is_empty());
        for (bad, told) in [
            ("\x1e1\n\x1e\"x\"\n", vec!["type /1"]),
            ("1\n", vec!["json"]),
            ("", vec!["json"]),
            ("\x1e1\n\x1e2", vec!["json /1"]),
            ("\x1e\x1e1\n", vec!["json /0"]),
        ] {
            assert_eq!(judge.told(range, bad), told, "{bad:?}");
        }
    }
}

#[test]
fn the_schema_of_the_whole_is_about_the_array_of_items() {
    let schemas = [json!({"maxItems": 2, "items": {"type": "object"}}), json!({"required": ["id"]})];
    let judge = Judge::of(&[item_rule("application/jsonl", Some(0), Some(1))], &schemas);
    assert!(judge.told("application/jsonl", "{\"id\":[1,{\"a\":[]}]}\n{\"id\":{}}").is_empty());
    assert_eq!(judge.told("application/jsonl", "{\"id\":1}\n{\"id\":1}\n{\"id\":1}"), ["maxItems"]);
    assert_eq!(judge.told("application/jsonl", "1"), ["type /0"]);
    assert_eq!(judge.told("application/jsonl", "{\"id\":1}\n{}"), ["required /1"]);
}

/// Before OpenAPI 3.2 there was no other place for it.
#[test]
fn a_schema_that_allows_no_array_is_that_of_the_items() {
    let judge = Judge::one("application/x-ndjson", json!({"type": "object", "required": ["id"]}));
    assert!(judge.told("application/x-ndjson", "{\"id\":1}\n{\"id\":1}").is_empty());
    assert_eq!(judge.told("application/x-ndjson", "{\"id\":1}\n{}"), ["required /1"]);
}

#[test]
fn limits_hold_for_each_item_and_for_their_number() {
    let mut judge = Judge::of(&[item_rule("application/jsonl", None, Some(0))], &[json!({})]);
    judge.limits.json = json::Limits { depth: 2, values: 3, string: 3, number: 3 };
    assert!(judge.told("application/jsonl", "[1,2]\n[1,2]\n[[]]").is_empty());
    for (bad, told) in [("1\n2\n3\n4", "values"), ("1\n[1,2,3]", "values /1"), ("[[[]]]", "depth /0"), ("\"1234\"", "string /0")] {
        assert_eq!(judge.told("application/jsonl", bad), [told]);
    }
    let mut whole = Judge::one("application/jsonl", json!({"type": "array"}));
    whole.limits.json = json::Limits { values: 5, ..json::Limits::default() };
    assert!(whole.told("application/jsonl", "[1]\n[1]").is_empty());
    assert_eq!(whole.told("application/jsonl", "[1]\n[1]\n1"), ["values"]);
}

#[test]
fn many_bad_items_are_told_by_the_first_of_them() {
    let judge = judge("application/jsonl");
    let told = judge.told("application/jsonl", "true\n".repeat(50_000));
    assert_eq!(told.len(), crate::MOST);
}

#[test]
fn an_event_is_an_object_of_what_was_sent() {
    let schema = json!({"type": "object", "required": ["data"], "additionalProperties": false, "properties": {
        "data": {"const": "a\nb"}, "event": {"const": "add"}, "id": {"type": "string"}, "retry": {"type": "integer", "maximum": 10}}});
    let judge = Judge::of(&[item_rule("text/event-stream", None, Some(0))], &[schema]);
    for good in [
        "",
        ": hello\n\n",
        "data: a\ndata: b\n\n",
        "\u{feff}event:add\r\nid: 1\r\nretry: 007\r\ndata:a\r\ndata:b\r\n\r\n",
        "data:a\rdata:b\r\r",
        "unknown: x\ndata: a\ndata: b\nretry: soon\nid: \0\n\n",
        // Without data, or without its end, nobody sees it.
        "event: other\n\ndata: c\n",
    ] {
        assert!(judge.told("text/event-stream", good).is_empty(), "{good:?}");
    }
    for (bad, told) in [
        ("data: a\n\n", vec!["const /0/data"]),
        ("data: a\ndata: b\n\nevent: other\ndata\n\n", vec!["const /1/data", "const /1/event"]),
        ("retry: 11\ndata: a\ndata: b\n\n", vec!["maximum /0/retry"]),
    ] {
        assert_eq!(judge.told("text/event-stream", bad), told, "{bad:?}");
    }
    assert_eq!(judge.told("text/event-stream", b"data: \xff\n\n"), ["utf-8"]);
}

#[test]
fn data_that_may_be_no_string_is_read_as_json() {
    let schema = json!({"properties": {"data": {"type": "object", "properties": {"n": {"type": "integer"}}}}});
    let judge = Judge::of(&[item_rule("text/event-stream", None, Some(0))], &[schema]);
    assert!(judge.told("text/event-stream", "data: {\"n\":\ndata: 1}\n\n").is_empty());
    assert_eq!(judge.told("text/event-stream", "data: {\"n\":\"\"}\n\n"), ["type /0/data/n"]);
    assert_eq!(judge.told("text/event-stream", "data: {\"n\"}\n\n"), ["json /0/data"]);
}
