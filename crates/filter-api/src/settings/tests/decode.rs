use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::decode;
use crate::{Interval, Secret};

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Outer {
    number: u16,
    switch: bool,
    text: String,
    path: Option<PathBuf>,
    time: Interval,
    list: Vec<Inner>,
    map: BTreeMap<String, Inner>,
    choice: Choice,
    address: Option<SocketAddr>,
    secret: Secret,
    fraction: f64,
    wide: u64,
    pair: (u8, u8),
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    name: String,
    #[serde(default)]
    deep: Option<Box<Inner>>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    #[default]
    Plain,
    With(Inner),
}

/// Pointer and message of what is wrong with one key.
fn wrong(key: &str, value: Value) -> (String, String) {
    let settings = Value::Object([(key.to_owned(), value)].into_iter().collect());
    let problem = decode::<Outer>(settings).unwrap_err();
    (problem.pointer, format!("{} {} {}", problem.code, problem.message, problem.hint).trim_end().to_owned())
}

#[test]
fn what_fits_is_decoded() {
    let inner = |name: &str| Inner { name: name.to_owned(), deep: None };
    let outer: Outer = decode(json!({
        "number": 65535, "switch": true, "text": "x", "path": "a/b", "time": "5s", "list": [{ "name": "a", "deep": { "name": "b" } }],
        "map": { "k": { "name": "c" } }, "choice": { "with": { "name": "d" } }, "address": "[::1]:80", "fraction": 1.5, "wide": u64::MAX,
        "pair": [3, 4],
    }))
    .unwrap();
    assert_eq!(outer.list, [Inner { deep: Some(Box::new(inner("b"))), ..inner("a") }]);
    assert_eq!((outer.map["k"].name.as_str(), &outer.choice), ("c", &Choice::With(inner("d"))));
    assert_eq!((outer.number, outer.wide, outer.fraction, outer.pair), (65535, u64::MAX, 1.5, (3, 4)));
}

#[test]
fn a_list_is_no_map_whose_keys_come_in_order() {
    assert!(decode::<Outer>(json!([1, true])).unwrap_err().message.contains("expected a map, found a list"));
    assert_eq!(wrong("list", json!([["a"]])), ("/list/0".into(), "decode.value expected a map, found a list".into()));
    assert_eq!(wrong("map", json!({ "a~/b": ["a"] })).0, "/map/a~0~1b");
    assert_eq!(wrong("choice", json!({ "with": ["a"] })).1, "decode.value expected a map, found a list");
}

#[test]
fn what_was_expected_is_said_in_the_words_of_the_file() {
    for (key, value, said) in [
        ("number", json!(65536), "expected a whole number from 0 to 65535, found a number"),
        ("number", json!(-1), "expected a whole number from 0 to 65535, found a number below 0"),
        ("number", json!("1"), "expected a whole number from 0 to 65535, found a string"),
        ("wide", json!(1e30), "expected a whole number, found a number with a fraction, or too large"),
        ("switch", json!("yes"), "expected true or false, found a string"),
        ("text", json!(5), "expected a string, found a number put quotes around it"),
        ("text", json!(null), "expected a string, found null"),
        ("path", json!({}), "expected a path, found a map"),
        ("list", json!({}), "expected a list, found a map"),
        ("map", json!([]), "expected a map, found a list"),
        ("list", json!([5]), "expected a map, found a number"),
        ("choice", json!(5), "expected one of `plain`, `with`, found a number"),
        ("choice", json!({}), "expected one of `plain`, `with`, found a map"),
        ("choice", json!("pain"), "`pain` is not one of the known values did you mean `plain`? Known are: plain, with"),
        ("address", json!("localhost"), "expected an address and a port, such as 0.0.0.0:9090 or [::]:9090"),
        ("time", json!("5 s"), "expected a time such as 500ms, 30s, 5m, 1h or 1d, found \"5 s\""),
        ("pair", json!([1, 2, 3]), "expected 2 elements in sequence, found 3 of them"),
    ] {
        assert_eq!(wrong(key, value.clone()).1, format!("decode.value {said}"), "{key}: {value}");
    }
    assert_eq!(
        wrong("nubmer", json!(1)).1.split(" Known").next().unwrap(),
        "decode.unknown_key unknown key `nubmer` did you mean `number`?"
    );
    assert_eq!(wrong("list", json!([{}])), ("/list/0".into(), "decode.missing the key `name` is missing".into()));
}

#[test]
fn a_secret_in_the_wrong_form_is_not_repeated() {
    for value in [json!(47_110_815), json!("hunter2"), json!(true), json!(4.711), json!({ "hunter2": 1 }), json!(["hunter2"])] {
        let (pointer, said) = wrong("secret", value.clone());
        assert_eq!(pointer, "/secret");
        assert!(!said.contains("hunter2") && !said.contains("4711") && !said.contains("4.711"), "{said}");
    }
}
