//! Texts that are made to hurt: each ends in a problem, soon.

use std::time::Duration;

use tollgate_document::{Document, Limits};
use tollgate_testkit::cpu_time;

fn refused(name: &str, text: &[u8], code: &str) {
    let begin = cpu_time();
    let problems = Document::parse(name, text, &Limits::default()).expect_err("it is refused");
    let took = cpu_time() - begin;
    assert_eq!(problems.0[0].code, code, "{}", problems.0[0]);
    // A release build takes a tenth.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn alias_bomb(levels: usize) -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..levels {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    text
}

#[test]
fn an_alias_bomb_is_defused() {
    refused("a.yaml", alias_bomb(9).as_bytes(), "document.too_large");
    refused("a.yaml", alias_bomb(90).as_bytes(), "document.too_large");
}

#[test]
fn aliases_of_a_long_text_count_its_bytes() {
    let long = "x".repeat(1 << 20);
    let aliases = "- *a\n".repeat(1000);
    refused("a.yaml", format!("- &a {long}\n{aliases}").as_bytes(), "document.too_large");
}

#[test]
fn repeated_merges_count_what_they_bring() {
    let keys: String = (0..10_000).map(|i| format!("  k{i}: 1\n")).collect();
    let merges: String = (0..10_000).map(|i| format!("m{i}: {{<<: *a}}\n")).collect();
    refused("a.yaml", format!("a: &a\n{keys}{merges}").as_bytes(), "document.too_large");
}

#[test]
fn an_alias_within_its_own_anchor_is_refused() {
    refused("a.yaml", b"a: &a [*a]\n", "yaml.alias");
}

#[test]
fn aliases_cannot_nest_deeper_than_the_limit() {
    let mut text = String::from("a0: &a0 [x]\n");
    for level in 1..150 {
        text.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    refused("a.yaml", text.as_bytes(), "document.too_deep");
}

#[test]
fn deep_nesting_is_refused_in_every_form() {
    refused("a.json", "[".repeat(1_000_000).as_bytes(), "document.too_deep");
    refused("a.json", "{\"a\":".repeat(1_000_000).as_bytes(), "document.too_deep");
    refused("a.yaml", format!("a: {}", "[".repeat(200)).as_bytes(), "document.too_deep");
    refused("a.yaml", "- ".repeat(1_000_000).as_bytes(), "document.too_deep");
    let block: String = (0..2000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    refused("a.yaml", block.as_bytes(), "document.too_deep");
}

#[test]
fn a_large_file_is_not_even_looked_at() {
    refused("a.yaml", &vec![b' '; 50 << 20], "document.too_large");
}

#[test]
fn a_long_key_is_refused() {
    refused("a.yaml", format!("? {}\n: 1\n", "k".repeat(2000)).as_bytes(), "document.key_too_long");
    refused("a.json", format!("{{\"{}\": 1}}", "k".repeat(2000)).as_bytes(), "document.key_too_long");
}

#[test]
fn many_values_are_refused() {
    refused("a.json", format!("[{}1]", "1,".repeat(2_100_000)).as_bytes(), "document.too_large");
}

#[test]
fn many_duplicates_are_reported_but_not_all() {
    let text = "a: 1\n".repeat(100_000);
    let problems = Document::parse("a.yaml", text.as_bytes(), &Limits::default()).expect_err("it is refused");
    assert!((10..=100).contains(&problems.0.len()));
}

#[test]
fn truncated_and_garbled_texts_never_panic() {
    let text = "a: &x {b: [1, 'two', \"th\\u0072ee\"], <<: *y}\n? k\n: |\n  block\n---\n!!str z: >-\n  fold\n";
    for end in 0..text.len() {
        let _ = Document::parse("a.yaml", &text.as_bytes()[..end], &Limits::default());
        for byte in [0xff, b'{', b'[', b':', b'\n', b'"', b'&', b'*', b'%', b'\t'] {
            let mut garbled = text.as_bytes().to_vec();
            garbled[end] = byte;
            let _ = Document::parse("a.yaml", &garbled, &Limits::default());
            garbled.insert(0, b'{');
            let _ = Document::parse("a.json", &garbled, &Limits::default());
        }
    }
}
