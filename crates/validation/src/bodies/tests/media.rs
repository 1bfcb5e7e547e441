use serde_json::json;

use super::*;

#[test]
fn the_most_precise_range_applies() {
    let ranges = ["*/*", "text/*", "application/*", "application/json", "application/*+json", "Application/Problem+JSON"];
    let rules: Vec<_> = ranges.iter().enumerate().map(|(n, range)| rule(range, Some(n as u32))).collect();
    let schemas: Vec<_> = ranges.iter().map(|range| json!({"const": range})).collect();
    let judge = Judge::of(&rules, &schemas);
    for (sent, expected) in [
        ("application/json", "application/json"),
        ("APPLICATION/JSON; charset=UTF-8", "application/json"),
        (" application/json ;q=1", "application/json"),
        ("application/problem+json", "Application/Problem+JSON"),
        ("application/merge-patch+json", "application/*+json"),
        ("text/json", "text/*"),
        ("model/gltf+json", "*/*"),
    ] {
        let body = format!("\"{expected}\"");
        assert!(judge.told(sent, body).is_empty(), "{sent}");
        assert_eq!(judge.told(sent, "\"another\""), ["const"], "{sent}");
    }
}

#[test]
fn a_suffix_is_no_other_name_for_the_type_before_it() {
    let judge = Judge::one("application/json", json!({}));
    for sent in ["application/problem+json", "text/json", "application/jsonx", "application/json+json", "*/*", "application/*"] {
        assert_eq!(judge.told(sent, "1"), ["content-type"], "{sent}");
    }
}

#[test]
fn what_is_no_media_type_is_not_declared() {
    let judge = Judge::one("*/*", json!({}));
    for sent in ["", "json", "application/", "/json", "application/json, text/plain", "application/js on", "a/b/c", "application/json\0"] {
        assert_eq!(judge.told(sent, "1"), ["content-type"], "{sent:?}");
    }
    assert_eq!(judge.bodies.which(None).map(Which::is_judged), Some(false));
    assert!(Judge::one("application/json", json!({})).bodies.which(None).is_none());
}

#[test]
fn the_declared_types_are_told_and_nothing_that_was_sent() {
    let judge = Judge::of(&[rule("application/json", None), rule("text/plain", None)], &[]);
    let found = judge.findings("secret/type", None, b"");
    assert_eq!((found[0].rule.as_ref(), found[0].says.as_ref()), ("content-type", "must be application/json or text/plain"));
}

#[test]
fn a_body_without_a_schema_is_not_held() {
    let judge =
        Judge::of(&[rule("application/json", None), rule("image/png", Some(0)), rule("text/plain", Some(0))], &[json!({"type": "string"})]);
    let held = |sent| judge.bodies.which(Some(sent)).unwrap().is_judged();
    assert_eq!((held("application/json"), held("image/png"), held("text/plain")), (false, false, true));
    assert!(judge.told("application/json", "{").is_empty());
}

/// Else a schema for `*/*` would be passed by any type that nobody can read.
#[test]
fn what_cannot_be_read_is_in_a_range_only_as_a_string() {
    assert_eq!(Judge::one("*/*", json!({"type": "object"})).told("image/png", "\x01"), ["content-type"]);
    let image = Judge::of(&[rule("*/*", None), rule("image/*", Some(0))], &[json!({"type": "object"})]);
    assert_eq!((image.told("image/png", "\x01"), image.told("model/x", "\x01")), (vec!["content-type".to_owned()], vec![]));
    assert!(Judge::one("image/*", json!({"type": "string", "format": "binary"})).told("image/png", "\x01").is_empty());
}

#[test]
fn parameters_count_only_between_types_that_differ_in_nothing_else() {
    let one = Judge::one("application/json;v=1", json!({"const": 1}));
    assert!(one.told("application/json", "1").is_empty());
    assert!(one.told("application/json; v=2", "1").is_empty());
    let rules = [rule("application/json", Some(0)), rule("application/json;v=1", Some(1)), rule("application/json; V=2", Some(2))];
    let judge = Judge::of(&rules, &[json!({"const": 0}), json!({"const": 1}), json!({"const": 2})]);
    for (sent, expected) in [
        ("application/json", "0"),
        ("application/json;v=1", "1"),
        ("application/json; charset=utf-8; v=\"2\"", "2"),
        ("application/json;v=3", "0"),
    ] {
        assert!(judge.told(sent, expected).is_empty(), "{sent}");
    }
}

#[test]
fn parameters_that_two_readers_could_read_differently_are_refused() {
    let judge = Judge::one("application/json", json!({}));
    for sent in ["a=", "=a", "a", "a=\"", "a=b c=d", "charset=utf-8;charset=utf-8", "charset=utf-8; CHARSET=utf-7", "a=\"b\"c", "a =b"] {
        assert_eq!(judge.told(&format!("application/json;{sent}"), "1"), ["content-type"], "{sent}");
    }
    for sent in ["", ";", " charset=utf-8 ", "a=\"b;\\\"c\"; d=e", "charset=\"UTF-8\";"] {
        assert!(judge.told(&format!("application/json;{sent}"), "1").is_empty(), "{sent}");
    }
}

#[test]
fn what_is_no_media_type_is_not_compiled() {
    for range in ["json", "*/json", "application/json;a", ""] {
        let broken = Bodies::compile(&[rule(range, None)], &library(&[]), None).unwrap_err();
        assert_eq!((broken.source.as_str(), broken.message.contains("no media type")), ("api.yaml:7", true), "{range}");
    }
}
