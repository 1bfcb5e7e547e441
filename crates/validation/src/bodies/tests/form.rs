use serde_json::json;

use super::*;
use crate::rules::Style;

const FORM: &str = "application/x-www-form-urlencoded";

fn judge(schema: Value, styles: &[(&str, Style)]) -> Judge {
    let encoding: Vec<_> = styles.iter().map(|(name, style)| (*name, Encoding { style: Some(*style), ..Encoding::default() })).collect();
    Judge::of(&[encoded(rule(FORM, Some(0)), &encoding)], &[schema])
}

/// A form whose only member is `n`, and must be that value.
#[track_caller]
fn reads(style: Option<Style>, schema: Value, body: &str, value: Value) {
    let fitting = json!({"properties": {"n": {"allOf": [schema, {"const": value}]}}, "required": ["n"]});
    let other = json!({"properties": {"n": {"allOf": [schema, {"not": {"const": value}}]}}, "required": ["n"]});
    let styles: Vec<_> = style.map(|style| ("n", style)).into_iter().collect();
    assert_eq!(judge(fitting, &styles).told(FORM, body), [""; 0], "{style:?} {body}");
    assert_eq!(judge(other, &styles).told(FORM, body), ["not /n"], "{style:?} {body}");
}

#[test]
fn each_member_has_the_type_of_its_schema() {
    reads(None, json!({"type": "integer"}), "n=-12", json!(-12));
    reads(None, json!({"type": "number"}), "n=1.50", json!(1.5));
    reads(None, json!({"type": "boolean"}), "n=true", json!(true));
    reads(None, json!({"type": "string"}), "n=12", json!("12"));
    reads(None, json!({"type": "string"}), "n=a%20b+c%2B%C3%A9%26", json!("a b c+é&"));
    reads(None, json!({"type": ["integer", "string"]}), "n=12", json!(12));
    reads(None, json!({"type": ["integer", "string"]}), "n=1x", json!("1x"));
    reads(None, json!({"type": "string"}), "n", json!(""));
    reads(None, json!({"type": "string"}), "n=a=b", json!("a=b"));
    reads(None, json!({}), "n=1", json!("1"));
}

#[test]
fn what_is_no_form_is_not_taken_for_an_unknown_name() {
    let judge = judge(json!({"properties": {"n": {"type": "string"}}}), &[]);
    for body in ["", "n", "n=", "other=", "n=1&other", "other&n"] {
        assert_eq!(judge.told(FORM, body), [""; 0], "{body}");
    }
    for body in ["other", "{\"n\":1}", "a%2Fb%2Fc", "[1,2]", "some&text"] {
        assert_eq!(judge.told(FORM, body), ["form"], "{body}");
    }
}

#[test]
fn lists_and_objects_have_the_form_of_their_style() {
    let (integers, strings) =
        (json!({"type": "array", "items": {"type": "integer"}}), json!({"type": "array", "items": {"type": "string"}}));
    let color = json!({"type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "string"}}});
    reads(None, integers.clone(), "n=1", json!([1]));
    reads(None, integers.clone(), "n=1&n=2", json!([1, 2]));
    reads(Some(Style::FormExplode), strings.clone(), "n=a%2Cb&n=c,d", json!(["a,b", "c,d"]));
    reads(Some(Style::Form), strings.clone(), "n=a%2Cb,c", json!(["a,b", "c"]));
    reads(Some(Style::Form), integers.clone(), "n=1", json!([1]));
    reads(Some(Style::SpaceDelimited), integers.clone(), "n=1%202+3", json!([1, 2, 3]));
    reads(Some(Style::PipeDelimited), integers.clone(), "n=1%7C2|3%7c4", json!([1, 2, 3, 4]));
    reads(Some(Style::TabDelimited), integers, "n=1%092", json!([1, 2]));
    reads(Some(Style::Form), color.clone(), "n=R,1,G,2", json!({"R": 1, "G": "2"}));
    reads(Some(Style::DeepObject), color.clone(), "n%5BR%5D=1&n[G]=2", json!({"R": 1, "G": "2"}));
    reads(Some(Style::FormExplode), color.clone(), "R=1&G=2", json!({"R": 1, "G": "2"}));
    reads(None, color.clone(), "n=%7B%22R%22:1,%22G%22:%222%22%7D", json!({"R": 1, "G": "2"}));
    reads(None, json!({"type": "array", "items": color}), "n={\"R\":1}&n={}", json!([{"R": 1}, {}]));
}

#[test]
fn a_list_within_an_object_is_repeated_under_its_name() {
    let filter =
        json!({"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "integer"}}, "x": {"type": "integer"}}});
    reads(Some(Style::DeepObject), filter.clone(), "n[tags]=1&m=0&n[x]=3&n[tags]=2", json!({"tags": [1, 2], "x": 3}));
    reads(Some(Style::FormExplode), filter, "tags=1&x=3", json!({"tags": [1], "x": 3}));
}

#[test]
fn a_value_that_is_sent_twice_is_refused_where_one_is_expected() {
    let schema = json!({"properties": {"n": {"type": "integer"}, "o": {"type": "object"}}});
    for (body, told) in [("n=1&n=1", "duplicate-name /n"), ("n=1&o={}&%6E=2", "duplicate-name /n"), ("o={}&o={}", "duplicate-name /o")] {
        assert_eq!(judge(schema.clone(), &[]).told(FORM, body), [told], "{body}");
    }
    assert_eq!(judge(schema.clone(), &[("n", Style::Form)]).told(FORM, "n=1&n=2"), ["duplicate-name /n"]);
    assert_eq!(judge(schema, &[("n", Style::Form)]).told(FORM, "n=1,2"), ["form /n"]);
}

#[test]
fn what_two_readers_could_decode_differently_is_refused() {
    let judge = judge(json!({}), &[]);
    for (body, told) in [
        (&b"n=%"[..], "form"),
        (b"n=%4", "form"),
        (b"n=%zz", "form"),
        (b"%zz=1", "form"),
        (b"n=%ff", "utf-8"),
        (b"n=%C3&m=%A9", "utf-8"),
        (b"%ed%a0%80=1", "utf-8"),
        (b"n=\xc3\xa9", "form"),
        (b"n=a b", "form"),
        (b"n=1\r\n", "form"),
        (b"\xef\xbb\xbfn=1", "form"),
        (b"n=\0", "form"),
        (b"_charset_=iso-8859-1&n=1", "charset"),
    ] {
        assert_eq!(judge.told(FORM, body), [told], "{}", String::from_utf8_lossy(body));
    }
    for body in ["", "&", "n=1&", "n=1;m=2", "_charset_=UTF-8&n=1", "=1"] {
        assert!(judge.told(FORM, body).is_empty(), "{body}");
    }
}

#[test]
fn a_member_of_an_object_that_is_none_is_refused() {
    let schema = json!({"properties": {"n": {"type": "object", "additionalProperties": {"type": "integer"}}}});
    let deep = judge(schema.clone(), &[("n", Style::DeepObject)]);
    assert!(deep.told(FORM, "n[a]=1&n[]=2").is_empty());
    assert_eq!(deep.told(FORM, "n[a]=x"), ["type /n/*"]);
    for body in ["n=1", "n[a][b]=1", "n[a=1", "n[a]b=1", "n[a]=1&n=1", "n[a]]=1"] {
        assert_eq!(deep.told(FORM, body), ["form /n"], "{body}");
    }
    assert_eq!(deep.told(FORM, "n[a]=1&n[a]=1"), ["duplicate-name /n"]);
    assert_eq!(judge(schema.clone(), &[("n", Style::Form)]).told(FORM, "n=a,1,b"), ["form /n"]);
    assert_eq!(judge(schema, &[("n", Style::Form)]).told(FORM, "n=a,1,a,2"), ["duplicate-name /n"]);
}

#[test]
fn what_is_not_declared_is_an_additional_member() {
    let closed = judge(json!({"properties": {"n": {"type": "integer"}}, "additionalProperties": false}), &[]);
    assert_eq!(closed.told(FORM, "n=1&secret=1&other=2"), ["additionalProperties"]);
    let typed = judge(json!({"properties": {"n": {"type": "string"}}, "additionalProperties": {"type": "integer"}}), &[]);
    assert!(typed.told(FORM, "n=x&secret=1").is_empty());
    assert_eq!(typed.told(FORM, "n=x&secret=x"), ["type /*"]);
    assert_eq!(typed.told(FORM, "secret=1&secret=2"), ["duplicate-name /*"]);
    let open = judge(json!({"additionalProperties": {"minItems": 3}}), &[]);
    assert_eq!(open.told(FORM, "secret=1&secret=2"), ["minItems /*"]);
}

#[test]
fn the_limits_of_a_value_hold_for_a_form() {
    let mut judge = judge(json!({"properties": {"o": {"type": "object"}, "i": {"type": "integer"}}}), &[]);
    judge.limits.json = json::Limits { depth: 2, values: 4, string: 20, number: 3 };
    assert!(judge.told(FORM, "o={\"a\":1}&i=123").is_empty());
    for (body, told) in [
        ("o={\"a\":{}}", "depth /o"),
        ("o={\"a\":1,\"b\":2,\"c\":3}", "values /o"),
        ("a=1&b=2&c=3&d=4", "values /*"),
        ("a=1&b=2&c=3&d=4&e=5", "values"),
        ("a=123456789012345678901", "string /*"),
        ("i=1234", "number /i"),
        ("o={", "json /o"),
    ] {
        assert_eq!(judge.told(FORM, body), [told], "{body}");
    }
}

#[test]
fn a_large_form_takes_time_in_proportion() {
    let schema = json!({"properties": {"n": {"type": "array", "items": {"type": "integer"}}}});
    let judge = judge(schema, &[("n", Style::PipeDelimited)]);
    let body = format!("n=1{}", "|1".repeat(99_000));
    let many: String = (0..90_000).map(|n| format!("m{}=1&", n * 7919 % 90_000)).collect();
    let begun = std::time::Instant::now();
    assert!(judge.told(FORM, body).is_empty() && judge.told(FORM, many).is_empty());
    assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_style_that_a_form_cannot_have_is_not_compiled() {
    for style in [Style::Simple, Style::Label, Style::MatrixExplode, Style::Cookie] {
        let encoding = Encoding { style: Some(style), ..Encoding::default() };
        let rule = encoded(rule(FORM, Some(0)), &[("n", encoding)]);
        let broken = Bodies::compile(&[rule], &library(&[json!({})]), None).unwrap_err();
        assert!(broken.message.contains("`n`"), "{broken}");
    }
}
