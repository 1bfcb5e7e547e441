use serde_json::json;

use super::*;

#[test]
fn each_fault_of_a_json_body_has_its_rule() {
    let mut judge = Judge::one("application/json", json!({}));
    judge.limits.json = json::Limits { depth: 3, values: 10, string: 10, number: 10 };
    for (body, rule) in [
        (&b"{\"a\": }"[..], "json"),
        (b"", "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (b"{} {}", "json"),
        (b"\"\xff\"", "utf-8"),
        (b"{\"a\":1,\"\\u0061\":2}", "duplicate-name"),
        (b"1e999", "number"),
        (b"12345678901", "number"),
        (b"[[[[]]]]", "depth"),
        (b"[1,2,3,4,5,6,7,8,9,0]", "values"),
        (b"\"12345678901\"", "string"),
    ] {
        assert_eq!(judge.told("application/json", body), [rule], "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn a_charset_is_utf_8_or_refused() {
    for (range, body) in [("application/json", "\"é\""), ("text/plain", "é"), ("application/problem+json", "\"é\"")] {
        let judge = Judge::one(range, json!({"type": "string"}));
        for label in ["utf-8", "UTF-8", "\"utf-8\"", "utf8"] {
            assert!(judge.told(&format!("{range}; charset={label}"), body).is_empty(), "{label}");
        }
        for label in ["iso-8859-1", "utf-16", "us-ascii", "utf-7", "windows-1252", "\"\""] {
            assert_eq!(judge.told(&format!("{range}; charset={label}"), body), ["charset"], "{label}");
        }
        assert!(judge.told(&format!("{range}; charset=US-ASCII"), "\"e\"").is_empty());
    }
}

#[test]
fn a_text_is_one_value_of_the_type_that_is_asked_for() {
    for (schema, good, bad) in [
        (json!({"type": "string", "maxLength": 3}), "é12", ("1234", "maxLength")),
        (json!({"type": "integer"}), "-12", ("1.0", "type")),
        (json!({"type": "number", "minimum": 1}), "1.5e3", ("0", "minimum")),
        (json!({"type": "boolean"}), "true", ("True", "type")),
        (json!({"maxLength": 3}), "123", ("1234", "maxLength")),
        (json!({"enum": ["a", 1]}), "1", ("2", "enum")),
        (json!({"type": "integer"}), "0", ("01", "type")),
    ] {
        let judge = Judge::one("text/plain", schema.clone());
        assert!(judge.told("text/plain", good).is_empty(), "{schema} {good}");
        assert_eq!(judge.told("text/plain", bad.0), [bad.1], "{schema}");
    }
    assert_eq!(Judge::one("text/plain", json!({})).told("text/plain", b"\xff"), ["utf-8"]);
    assert_eq!(Judge::one("text/plain", json!({"type": "number"})).told("text/plain", "1e999"), ["number"]);
}

#[test]
fn what_belongs_to_the_other_way_is_refused_in_a_body() {
    let schema = json!({"properties": {"id": {"readOnly": true}}});
    assert_eq!(Judge::one("application/json", schema).told("application/json", "{\"id\":1}"), ["readOnly /id"]);
}

#[test]
fn no_finding_repeats_what_was_sent() {
    let judge = Judge::one("application/json", json!({"additionalProperties": {"type": "integer"}}));
    for body in ["{\"secret\":\"secret\"}", "{\"secret\":1,\"secret\":2}", "secret", "\"secret"] {
        let found = judge.findings("application/json; charset=utf-8", None, body.as_bytes());
        assert!(!found.is_empty() && !format!("{found:?}").contains("secret"), "{found:?}");
        assert!(found.iter().all(|finding| finding.source.is_some() || finding.rule != "json"));
    }
    let encoding = judge.findings("application/json", Some("secret"), b"1");
    let charset = judge.findings("application/json; charset=secret", None, b"1");
    assert!(!format!("{encoding:?}{charset:?}").contains("secret"));
}
