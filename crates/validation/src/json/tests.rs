use serde_json::{Value, json};

use super::*;

fn limits() -> Limits {
    Limits::default()
}

#[track_caller]
fn value(text: &str) -> Value {
    use jsonschema::json::Node as _;
    let limits = limits();
    parse(text.as_bytes(), &limits).map(|tree| tree.root().to_value().into_owned()).unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

#[test]
fn reads_what_the_grammar_allows() {
    for text in [
        "null",
        " true ",
        "-0",
        "0",
        "1.5e3",
        "\"\"",
        "\"a\\u00e9\\n\\ud83d\\ude00\"",
        "[]",
        "{}",
        "[[],{}]",
        "{\"a\":[1,{\"b\":null}],\"c\":{}}",
        "18446744073709551615",
        "-9223372036854775808",
        "[1,\t2 ,\r\n3]",
    ] {
        assert_eq!(value(text), serde_json::from_str::<Value>(text).unwrap(), "{text}");
    }
}

#[test]
fn refuses_what_the_grammar_does_not_allow() {
    for text in [
        "",
        " ",
        "nul",
        "tru",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "{\"a\" 1}",
        "[",
        "{",
        "\"",
        "]",
        "1 1",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\t\"",
        "\u{feff}1",
        "[1}",
        "{\"a\":1]",
        "//",
        "NaN",
        "{\"a\"}",
        "{1:1}",
        "[,1]",
        "{,}",
    ] {
        assert!(parse(text.as_bytes(), &limits()).is_err(), "{text:?}");
        assert!(serde_json::from_str::<Value>(text).is_err(), "{text:?}");
    }
    assert_eq!(parse(b"\"\xff\"", &limits()).unwrap_err(), Malformed::Utf8);
    assert_eq!(parse(b"1e400", &limits()).unwrap_err(), Malformed::Number);
}

#[test]
fn a_name_that_stands_twice_is_refused_however_it_is_spelt() {
    let many: String = (0..40).map(|n| format!("\"n{n}\":{n},")).collect();
    for text in [
        "{\"a\":1,\"a\":2}".to_owned(),
        "{\"a\":1,\"\\u0061\":2}".to_owned(),
        format!("{{{many}\"n7\":0}}"),
        "[{\"x\":{\"b\":1,\"b\":1}}]".to_owned(),
    ] {
        assert_eq!(parse(text.as_bytes(), &limits()).unwrap_err(), Malformed::Twice, "{text}");
    }
    assert_eq!(value(&format!("{{{many}\"z\":0}}"))["n7"], 7);
}

#[test]
fn each_limit_holds_at_its_last_value_and_not_beyond() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let limits = Limits { depth: 5, values: 10, string: 4, number: 3 };
    for (good, bad, over) in [
        (deep(5), deep(6), Over::Depth),
        ("[1,2,3,4,5,6,7,8,9]".to_owned(), "[1,2,3,4,5,6,7,8,9,10]".to_owned(), Over::Values),
        ("\"abcd\"".to_owned(), "\"abcde\"".to_owned(), Over::String),
        ("{\"abcd\":1}".to_owned(), "{\"abcde\":1}".to_owned(), Over::String),
        ("123".to_owned(), "1234".to_owned(), Over::Number),
    ] {
        assert!(parse(good.as_bytes(), &limits).is_ok(), "{good}");
        assert_eq!(parse(bad.as_bytes(), &limits).unwrap_err(), Malformed::Over(over), "{bad}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let text = "[".repeat(1_000_000);
    assert_eq!(parse(text.as_bytes(), &Limits { depth: usize::MAX, values: usize::MAX, ..limits() }).unwrap_err(), Malformed::Syntax);
    let text = format!("{text}{}", "]".repeat(1_000_000));
    assert!(parse(text.as_bytes(), &Limits { depth: usize::MAX, values: usize::MAX, ..limits() }).is_ok());
}

/// Both readers agree about texts that were made from good ones by small changes.
#[test]
fn decides_as_another_reader_does() {
    let seeds = [
        "{\"a\":[1,-2.5e-3,true,null,\"x\\u0041\\\\\"],\"b\":{\"c\":\"\u{e9}\"}}",
        "[[[\"\\ud83d\\ude00\"]],0.0,{}]",
        "\"plain\"",
        "-12.75E+2",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let alphabet = b"{}[]\",:\\u0019.eE+-tfn \t\x01\xc3\xa9ad8";
    let (mut good, mut bad) = (0, 0);
    for _ in 0..60_000 {
        let mut text = seeds[next(seeds.len())].as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(text.len().max(1));
            match next(3) {
                0 if !text.is_empty() => drop(text.remove(at)),
                1 if !text.is_empty() => text[at] = alphabet[next(alphabet.len())],
                _ => text.insert(at, alphabet[next(alphabet.len())]),
            }
        }
        let theirs = serde_json::from_slice::<Value>(&text);
        match parse(&text, &limits()) {
            Ok(_) => {
                good += 1;
                let ours = value(std::str::from_utf8(&text).unwrap());
                assert_eq!(ours, theirs.unwrap_or_else(|why| panic!("{}: {why}", String::from_utf8_lossy(&text))));
            }
            Err(Malformed::Twice) => assert!(theirs.is_ok()),
            Err(why) => {
                bad += 1;
                assert!(theirs.is_err(), "{}: {why}", String::from_utf8_lossy(&text));
            }
        }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} {bad}");
}

#[test]
fn a_value_of_another_representation_is_the_same_tree() {
    use jsonschema::json::Node as _;
    let value = json!({"a": [1, 2.5, "x", null, true], "b": {"c": {}}});
    assert_eq!(*Tree::of(&value, &limits()).unwrap().root().to_value(), value);
}

#[test]
fn satisfies_the_contract_of_the_validator() {
    let document = jsonschema::json::conformance::document();
    let limits = limits();
    let tree = Tree::of(&document, &limits).unwrap();
    jsonschema::json::conformance::assert_conformance::<OurJson>(&tree.root());
}
