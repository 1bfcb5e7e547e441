//! What YAML and JSON texts become.

use serde_json::json;
use tollgate_document::{Document, Limits};

fn read(name: &str, text: &str) -> Document {
    Document::parse(name, text.as_bytes(), &Limits::default()).expect("it parses")
}

fn refuse(name: &str, text: &[u8]) -> (String, u32, String) {
    let problems = Document::parse(name, text, &Limits::default()).expect_err("it is refused");
    let first = &problems.0[0];
    (first.code.to_owned(), first.line, first.message.clone())
}

#[test]
fn yaml_becomes_json_with_text_keys() {
    let document = read("a.yaml", "b: yes\na:\n  200: [1, 1.5, ~, true, 'x', |-\n   ]\n".replace(", |-\n   ", "").as_str());
    assert_eq!(document.value().to_string(), r#"{"b":"yes","a":{"200":[1,1.5,null,true,"x"]}}"#);
}

#[test]
fn json_surrogates_are_one_character() {
    let document = read("a.json", r#"{"a": "\uD83D\uDE00\n"}"#);
    assert_eq!(document.value(), json!({"a": "😀\n"}));
}

#[test]
fn a_member_has_the_line_of_its_key() {
    for (name, text) in [("a.yaml", "x: 1\na:\n\n  b:\n    - 1\n    - 2\n"), ("a.json", "{\"x\":1,\n\"a\":\n\n{\"b\":[1,\n\n2]}}")] {
        let document = read(name, text);
        assert_eq!(document.line("/a"), 2, "{name}");
        assert_eq!(document.line("/a/b"), 4, "{name}");
        assert_eq!(document.line("/a/b/1"), 6, "{name}");
        assert_eq!(document.line("/a/b/7/c"), 4, "{name}: the nearest ancestor");
    }
}

#[test]
fn keys_that_stand_twice_are_all_named() {
    let problems = Document::parse("a.yaml", b"a: 1\nb:\n  c: 1\n  c: 2\na: 2\n", &Limits::default()).expect_err("refused");
    let found: Vec<_> = problems.0.iter().map(|p| (p.line, p.hint.contains("line 1") || p.hint.contains("line 3"))).collect();
    assert_eq!(found, [(4, true), (5, true)]);
    assert_eq!(refuse("a.json", b"{\"a\":1,\n\"a\":2}").0, "document.duplicate_key");
}

#[test]
fn an_alias_is_written_out_and_keeps_its_own_line() {
    let document = read("a.yaml", "a: &x\n  k: 1\nb: *x\n");
    assert_eq!(document.value(), json!({"a": {"k": 1}, "b": {"k": 1}}));
    assert_eq!(document.line("/b"), 3);
}

#[test]
fn merged_members_never_replace_written_ones() {
    let document = read("a.yaml", "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc:\n  <<: [*a, *b]\n  k: 3\nd:\n  '<<': 1\n");
    assert_eq!(document.value()["c"], json!({"k": 3, "l": 1, "m": 2}));
    assert_eq!(document.value()["d"], json!({"<<": 1}));
}

#[test]
fn a_merge_of_something_else_is_refused() {
    assert_eq!(refuse("a.yaml", b"a: 1\nb:\n  <<: 3\n").0, "yaml.merge");
}

#[test]
fn tags_of_the_core_schema_decide_and_others_are_refused() {
    assert_eq!(read("a.yaml", "a: !!str 1\nb: !!int '2'\nc: ! 3\n").value(), json!({"a": "1", "b": 2, "c": "3"}));
    assert_eq!(refuse("a.yaml", b"a: !!int x\n").0, "yaml.tag");
    assert_eq!(refuse("a.yaml", b"a: !python/object x\n").0, "yaml.tag");
}

#[test]
fn a_number_keeps_the_text_that_was_written() {
    let document = read("a.yaml", "a: 1.10\nb: 0x10\n");
    assert_eq!(document.at("/a").and_then(|n| n.text()).as_deref(), Some("1.10"));
    assert_eq!(document.at("/b").and_then(|n| n.text()).as_deref(), Some("0x10"));
}

#[test]
fn an_empty_file_is_null() {
    assert_eq!(read("a.yaml", "").value(), json!(null));
    assert_eq!(read("a.yaml", "# nothing\n").value(), json!(null));
}

#[test]
fn yaml_in_flow_style_is_read_as_yaml() {
    assert_eq!(read("a.yaml", "{a: 1}").value(), json!({"a": 1}));
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    assert_eq!(refuse("a.yaml", b"a: 1\nb: \xff\n"), ("document.encoding".into(), 2, "the text is not UTF-8".into()));
    assert_eq!(refuse("a.yaml", b"a: 1\nb: \0\nc: 1\n").0, "yaml.control_character");
    assert_eq!(refuse("a.yaml", b"a: 1\n---\nb: 1\n").0, "yaml.documents");
    assert_eq!(refuse("a.yaml", b"a: [1\n").0, "yaml.syntax");
}

#[test]
fn broken_json_names_what_was_expected() {
    for (text, line, message) in [
        ("{\"a\": 1,\n}", 2, "not JSON: found `}`, expected a key in double quotes"),
        ("{\"a\" 1}", 1, "not JSON: found `1`, expected `:`"),
        ("[1,\n2", 2, "not JSON: found the end of the file, expected `,` or the closing bracket"),
        ("[1]]", 1, "not JSON: found `]`, expected the end of the file"),
        ("[1}", 1, "not JSON: found `}`, expected `,` or the closing bracket"),
        ("[01]", 1, "not JSON: found `0`, expected a value or `]`"),
        ("{\"a", 1, "not JSON: found `\"`, expected a key in double quotes or `}`"),
    ] {
        assert_eq!(refuse("a.json", text.as_bytes()), ("json.syntax".into(), line, message.into()), "{text}");
    }
    assert_eq!(refuse("a.json", b"[\"\\uD83D\"]").0, "json.string");
}

#[test]
fn large_objects_are_found_by_key() {
    let text: String = (0..1000).rev().map(|i| format!("k{i}: {i}\n")).collect();
    let document = read("a.yaml", &text);
    let node = document.root().get("k123").expect("it is there");
    assert_eq!(node.as_number().and_then(serde_json::Number::as_u64), Some(123));
    assert!(document.root().get("k1000").is_none());
}

#[test]
fn whoever_makes_a_mistake_in_yaml_is_told_the_way_out() {
    let deep = "[".repeat(200);
    for text in [
        "a:\n\tb: 1\n".as_bytes(),
        b"a: *b\n",
        b"a: &b [*b]\n",
        b"a: b: c\n",
        b"a: \"\\q\"\n",
        b"a: 'b\n",
        b"a: [b\n",
        b"? [a]\n: b\n",
        b"&a b: c\n",
        b"a: !b c\n",
        b"a: !!int b\n",
        b"a: {<<: 3}\n",
        b"a: 1\n---\nb: 2\n",
        b"a: \x01\n",
        b"a: \0\n",
        b"a: \xff\n",
        b"\xff\xfea\0",
        deep.as_bytes(),
    ] {
        let problems = Document::parse("a.yaml", text, &Limits::default()).expect_err("it must be refused");
        let problem = &problems.0[0];
        assert!(problem.line > 0 && !problem.hint.is_empty(), "{} {problem}", String::from_utf8_lossy(text));
    }
}
