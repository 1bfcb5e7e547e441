use serde_json::json;

use super::*;

const TYPE: &str = "multipart/form-data; boundary=b0und";

/// Parts with their heads, as the body that holds them.
fn body(parts: &[(&str, &str)]) -> Vec<u8> {
    let parts: String = parts.iter().map(|(head, value)| format!("--b0und\r\n{head}\r\n\r\n{value}\r\n")).collect();
    format!("{parts}--b0und--\r\n").into_bytes()
}

/// Named parts without a type of their own.
fn named(parts: &[(&str, &str)]) -> Vec<u8> {
    let heads: Vec<_> = parts.iter().map(|(name, value)| (format!("Content-Disposition: form-data; name=\"{name}\""), *value)).collect();
    body(&heads.iter().map(|(head, value)| (head.as_str(), *value)).collect::<Vec<_>>())
}

fn judge(schema: Value, contents: &[(&str, &str)]) -> Judge {
    let encoding = |types: &str| Encoding { content_types: vec![types.to_owned()], ..Encoding::default() };
    let encoding: Vec<_> = contents.iter().map(|(name, types)| (*name, encoding(types))).collect();
    Judge::of(&[encoded(rule("multipart/form-data", Some(0)), &encoding)], &[schema])
}

#[test]
fn each_part_is_read_as_its_schema_says() {
    let schema = json!({"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
        "id": {"type": "integer"}, "name": {"type": "string", "maxLength": 3}, "tags": {"type": "array", "items": {"type": "boolean"}},
        "address": {"type": "object", "properties": {"zip": {"type": "string"}}}, "all": {"type": "array", "items": {"type": "object"}}}});
    let judge = judge(schema, &[]);
    for good in [
        vec![("id", "1"), ("name", "12é"), ("address", "{\"zip\":\"1\"}")],
        vec![("tags", "true"), ("id", "1"), ("tags", "false"), ("all", "{}")],
    ] {
        assert!(judge.told(TYPE, named(&good)).is_empty(), "{good:?}");
    }
    for (bad, told) in [
        (vec![("id", "x")], "type /id"),
        (vec![("name", "x")], "required"),
        (vec![("id", "1"), ("name", "1234")], "maxLength /name"),
        (vec![("id", "1"), ("id", "1")], "duplicate-name /id"),
        (vec![("id", "1"), ("tags", "1")], "type /tags/0"),
        (vec![("id", "1"), ("address", "{\"zip\":1}")], "type /address/zip"),
        (vec![("id", "1"), ("address", "{")], "json /address"),
        (vec![("id", "1"), ("all", "1")], "type /all/0"),
        (vec![("id", "1"), ("secret", "1")], "additionalProperties"),
    ] {
        assert_eq!(judge.told(TYPE, named(&bad)), [told], "{bad:?}");
    }
}

#[test]
fn a_part_has_a_media_type_that_its_schema_or_the_encoding_allows() {
    let schema = json!({"properties": {"text": {"type": "string"}, "json": {"type": "object"}, "file": {"type": "string", "format": "binary"},
        "image": {"type": "string", "format": "binary"}, "either": {"type": "string"}}});
    let judge = judge(schema, &[("image", "image/png, image/jpeg"), ("either", "text/csv, application/json")]);
    let sent = |name: &str, content_type: &str, value: &str| {
        let head = format!("content-disposition: FORM-DATA; name={name}; filename=\"f\"\r\nContent-Type: {content_type}");
        judge.told(TYPE, body(&[(&head, value)]))
    };
    for (name, content_type) in [
        ("text", "text/plain"),
        ("text", "text/plain; charset=UTF-8"),
        ("json", "application/json"),
        ("json", "application/problem+json"),
        ("file", "application/octet-stream"),
        ("file", "application/pdf"),
        ("image", "image/PNG"),
        ("image", "image/jpeg"),
        ("either", "text/csv"),
        ("either", "application/json"),
        ("other", "a/b"),
    ] {
        let value = if content_type.ends_with("json") && name != "either" { "{}" } else { "\"1\"" };
        assert!(sent(name, content_type, value).is_empty(), "{name} {content_type}");
    }
    for (name, content_type, value, told) in [
        ("text", "application/json", "\"1\"", "content-type /text"),
        ("text", "application/octet-stream", "1", "content-type /text"),
        ("text", "nothing", "1", "content-type /text"),
        ("json", "text/plain", "{}", "content-type /json"),
        ("image", "image/gif", "x", "content-type /image"),
        ("either", "application/json", "1", "type /either"),
        ("text", "text/plain; charset=latin1", "1", "charset /text"),
        ("json", "application/json; charset=utf-16", "{}", "charset /json"),
        ("text", "text/plain; charset", "1", "content-type /text"),
        ("other", "application/json", "{", "json /*"),
    ] {
        assert_eq!(sent(name, content_type, value), [told], "{name} {content_type}");
    }
    assert_eq!(judge.told(TYPE, named(&[("image", "x")])), ["content-type /image"]);
}

#[test]
fn bytes_are_judged_by_their_number_alone() {
    let file = json!({"type": "string", "format": "binary", "minLength": 2, "maxLength": 4});
    let judge = judge(json!({"properties": {"f": file, "all": {"type": "array", "items": file}}}), &[]);
    let sent = |parts: &[&[u8]], name: &str| {
        let head = format!("--b0und\r\nContent-Disposition: form-data; name={name}\r\n\r\n");
        let parts = parts.iter().map(|part| [head.as_bytes(), part, b"\r\n"].concat());
        judge.told(TYPE, [parts.collect::<Vec<_>>().concat(), b"--b0und--".to_vec()].concat())
    };
    for good in [&b"\xff\xfe"[..], b"\0\r\n", b"\n\n\n\n"] {
        assert!(sent(&[good], "f").is_empty(), "{good:?}");
    }
    assert_eq!(sent(&[b"\xff"], "f"), ["minLength /f"]);
    assert_eq!(sent(&[b"\xff\xff\xff\xff\xff"], "f"), ["maxLength /f"]);
    assert_eq!(sent(&[b"12", b"12345"], "all"), ["maxLength /all/1"]);
}

#[test]
fn what_is_encoded_as_text_is_judged_as_text() {
    let judge = judge(json!({"properties": {"f": {"type": "string", "format": "byte"}}}), &[]);
    assert!(judge.told(TYPE, named(&[("f", "YWI=")])).is_empty());
    assert_eq!(judge.told(TYPE, named(&[("f", "YWI")])), ["format /f"]);
}

#[test]
fn what_two_readers_could_take_apart_differently_is_refused() {
    let judge = judge(json!({}), &[]);
    let head = "Content-Disposition: form-data; name=\"a\"";
    let text = String::from_utf8(body(&[(head, "1")])).unwrap();
    assert!(judge.told(TYPE, &text).is_empty());
    for bad in [
        String::new(),
        format!("preamble\r\n{text}"),
        format!("\r\n{text}"),
        format!("{text}epilogue"),
        format!("{text}\r\n"),
        text.replace("\r\n", "\n"),
        text.replace("1\r\n--b0und", "1\n--b0und"),
        text.replace("1\r\n--b0und", "1\r--b0und"),
        text.replace("\r\n1", "\r\nx\n--b0und\r\ny"),
        text.replace("\r\n1", "\r\nx\r--b0und--y"),
        text.replace("--b0und--", "--b0und"),
        text.replace("--b0und--", "--b0undx--"),
        text.replace("--b0und\r\nC", "--b0und \r\nC"),
        text.replace("\r\n\r\n", "\r\n"),
        text.replace("name=\"a\"", "name=\"a\"\n"),
        text.replace("form-data;", "form-data;\r\n "),
        text.replace(": form", " : form"),
        text.replace("--b0und\r\nC", "--b0und\r\n--b0und\r\nC"),
        text[..text.len() - 5].to_owned(),
    ] {
        let told = judge.told(TYPE, &bad);
        assert!(told == ["multipart"] || told == ["multipart /0"], "{bad:?} {told:?}");
    }
}

#[test]
fn a_head_that_two_readers_could_read_differently_is_refused() {
    let judge = judge(json!({}), &[]);
    for head in [
        "Content-Type: text/plain",
        "Content-Disposition: attachment; name=a",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; filename=a",
        "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"a\\\"b\"",
        "Content-Disposition: form-data; name*=utf-8''a; name=a",
        "Content-Disposition: form-data; name=a; filename*=utf-8''a",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "Content-Disposition: form-data; name=a\r\nContent-Type: a/b\r\ncontent-type: a/c",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable",
        "Content-Disposition: form-data; name=a\r\n: b",
        "Content-Disposition: form-data; name=a\r\nb",
        "Content-Disposition: form-data; name=a\r\nb: \0",
    ] {
        assert_eq!(judge.told(TYPE, body(&[(head, "1")])), ["multipart /0"], "{head}");
    }
    let long = format!("Content-Disposition: form-data; name=a\r\nX: {}", "x".repeat(9_000));
    let many = format!("Content-Disposition: form-data; name=a{}", "\r\nX: x".repeat(16));
    for head in [long, many] {
        assert_eq!(judge.told(TYPE, body(&[(&head, "1")])), ["multipart /0"]);
    }
    for head in [
        "Content-Disposition: form-data; name=a; filename=b; filename*=utf-8''c",
        "Content-Disposition: form-data; name=\"a;b é\"; filename=\"\"",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: 8BIT\r\nX-Other: 1",
    ] {
        assert!(judge.told(TYPE, body(&[(head, "a line with --b0und")])).is_empty(), "{head}");
    }
    assert_eq!(judge.told(TYPE, named(&[("_charset_", "latin1")])), ["charset"]);
}

#[test]
fn a_boundary_is_one_by_its_standard() {
    let judge = judge(json!({}), &[]);
    let good = "a'()+_,-./:=? 9";
    let body = format!("--{good}\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--{good}--");
    assert!(judge.told(&format!("multipart/form-data; boundary=\"{good}\""), body).is_empty());
    assert!(judge.told(&format!("multipart/form-data; boundary={}", "b".repeat(70)), format!("--{}--", "b".repeat(70))).is_empty());
    for sent in ["", "; boundary=\"\"", "; boundary=\"a \"", "; boundary=\"a*\"", &format!("; boundary={}", "b".repeat(71))] {
        assert_eq!(judge.told(&format!("multipart/form-data{sent}"), "----"), ["content-type"], "{sent}");
    }
    assert_eq!(judge.told("multipart/form-data; boundary=a; boundary=b", "--a--"), ["content-type"]);
}

#[test]
fn limits_hold_for_parts_and_for_what_is_in_them() {
    let mut judge = judge(json!({"properties": {"o": {"type": "object"}}}), &[]);
    judge.limits.parts = 2;
    judge.limits.json = json::Limits { depth: 2, values: 4, string: 5, number: 3 };
    assert!(judge.told(TYPE, named(&[("o", "{\"a\":1}"), ("a", "12345")])).is_empty());
    for (bad, told) in [
        (vec![("a", "1"), ("b", "1"), ("c", "1")], "parts"),
        (vec![("o", "{\"a\":{}}")], "depth /o"),
        (vec![("o", "{\"a\":1,\"b\":1,\"c\":1}")], "values /o"),
        (vec![("a", "123456")], "string /*"),
    ] {
        assert_eq!(judge.told(TYPE, named(&bad)), [told], "{bad:?}");
    }
}

#[test]
fn parts_without_names_are_a_sequence() {
    let mixed = "multipart/mixed; boundary=b0und";
    let items = json!({"type": "array", "maxItems": 2, "items": {"oneOf": [{"type": "integer"}, {"type": "object", "required": ["id"]}]}});
    let whole = Judge::one("multipart/mixed", items);
    let parts = |parts: &[(&str, &str)]| body(parts);
    let (text, json) = ("Content-Type: text/plain", "Content-Type: application/json");
    assert!(whole.told(mixed, parts(&[(text, "1"), (text, "2")])).is_empty());
    assert_eq!(whole.told(mixed, parts(&[(text, "1"), (text, "2"), (text, "3")])), ["maxItems"]);
    assert_eq!(whole.told(mixed, parts(&[(text, "1"), (text, "x")])), ["oneOf /1"]);
    let each = MediaRule { item_schema: Some(0), ..rule("multipart/mixed", None) };
    let each = Judge::of(&[each], &[json!({"type": "object", "required": ["id"]})]);
    assert!(each.told(mixed, parts(&[(json, "{\"id\":1}")])).is_empty());
    assert_eq!(each.told(mixed, parts(&[(json, "{\"id\":1}"), (json, "{}")])), ["required /1"]);
    assert_eq!(each.told(mixed, parts(&[(json, "{\"id\":1}"), (text, "{}")])), ["content-type /1"]);
}

#[test]
fn a_list_of_objects_may_be_one_json_value() {
    let schema = json!({"properties": {"all": {"type": "array", "maxItems": 2, "items": {"type": "object"}},
        "rows": {"type": "array", "items": {"type": "array", "maxItems": 1}}}});
    let judge = judge(schema.clone(), &[]);
    for good in [vec![("all", " [{},{}]")], vec![("all", "{}"), ("all", "{}")], vec![("all", "[]")], vec![("rows", "[1]"), ("rows", "[]")]]
    {
        assert!(judge.told(TYPE, named(&good)).is_empty(), "{good:?}");
    }
    for (bad, told) in [
        (vec![("all", "[{},{},{}]")], "maxItems /all"),
        (vec![("all", "[{}]"), ("all", "{}")], "type /all/0"),
        (vec![("rows", "[[1],[2]]")], "maxItems /rows/0"),
    ] {
        assert_eq!(judge.told(TYPE, named(&bad)), [told], "{bad:?}");
    }
    let form = Judge::one("application/x-www-form-urlencoded", schema);
    assert_eq!(form.told("application/x-www-form-urlencoded", "all=[{},{},{}]"), ["maxItems /all"]);
    assert!(form.told("application/x-www-form-urlencoded", "all=[{},{}]").is_empty());
}

/// As `collectionFormat` of OpenAPI 2.0 has them.
#[test]
fn a_list_in_one_part_is_split_by_its_style() {
    use crate::rules::Style;
    let list = json!({"type": "array", "items": {"type": "integer"}});
    let object = json!({"type": "object", "properties": {"R": {"type": "integer"}}});
    for (style, schema, value, good) in [
        (Style::Form, &list, "1,2", json!([1, 2])),
        (Style::SpaceDelimited, &list, "1 2", json!([1, 2])),
        (Style::PipeDelimited, &list, "1|2", json!([1, 2])),
        (Style::TabDelimited, &list, "1\t2", json!([1, 2])),
        (Style::Form, &list, "1", json!([1])),
        (Style::Form, &object, "R,1", json!({"R": 1})),
        // Which is what no style is.
        (Style::FormExplode, &list, "1", json!([1])),
        (Style::FormExplode, &object, "{\"R\":1}", json!({"R": 1})),
    ] {
        let encoding = [("n", Encoding { style: Some(style), ..Encoding::default() })];
        let judge = |rest: Value| {
            let schema = json!({"properties": {"n": {"allOf": [schema, rest]}}});
            Judge::of(&[encoded(rule("multipart/form-data", Some(0)), &encoding)], &[schema])
        };
        let sent = named(&[("n", value)]);
        assert_eq!(judge(json!({"const": good})).told(TYPE, &sent), [""; 0], "{style:?}");
        assert_eq!(judge(json!({"not": {"const": good}})).told(TYPE, &sent), ["not /n"], "{style:?}");
        let twice = judge(json!({})).told(TYPE, named(&[("n", value), ("n", value)]));
        assert_eq!(twice.is_empty(), style == Style::FormExplode && *schema == list, "{style:?} {twice:?}");
    }
}

#[test]
fn what_could_not_be_judged_is_not_compiled() {
    let broken = |schema: Value, encoding: Encoding| {
        let rule = encoded(rule("multipart/form-data", Some(0)), &[("n", encoding)]);
        Bodies::compile(&[rule], &library(&[json!({"properties": {"n": schema}})]), None).map(drop)
    };
    let contents = |types: &str| Encoding { content_types: vec![types.to_owned()], ..Encoding::default() };
    let style = Encoding { style: Some(crate::rules::Style::DeepObject), ..Encoding::default() };
    assert!(broken(json!({"type": "object"}), contents("application/xml")).is_err());
    assert!(broken(json!({"type": "integer"}), contents("image/png")).is_err());
    assert!(broken(json!({"type": "object"}), style).is_err());
    assert!(broken(json!({}), contents("png")).is_err());
    assert!(broken(json!({"type": "string"}), contents("image/png")).is_ok());
    assert!(broken(json!({"type": "array", "items": {"type": "string"}}), contents("image/*")).is_ok());
}
