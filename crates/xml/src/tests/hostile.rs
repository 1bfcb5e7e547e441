use std::time::{Duration, Instant};

use super::*;

const BOTH: [Convention; 2] = [Convention::Schema, Convention::Wso2];

/// What a hostile document comes to; it has to come soon.
#[track_caller]
fn told(convention: Convention, document: &[u8]) -> String {
    let begun = Instant::now();
    let made = ToJson::new(of(convention), unsaid()).convert(document);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    made.map_or_else(|broken| broken.to_string(), |text| format!("converted to {} bytes", text.len()))
}

#[test]
fn hostile_documents_are_refused_at_once() {
    let laughs: String = (1..10).map(|n| format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10))).collect();
    let bomb = format!("<!DOCTYPE a [<!ENTITY l0 'ha'>{laughs}]><a>&l9;</a>");
    let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    let attributes: String = (0..90_000).map(|n| format!(" a{n}=''")).collect();
    for convention in BOTH {
        for (document, expected) in [
            (bomb.as_str(), "has a document type"),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "has a document type"),
            ("<a>&undeclared;</a>", "cannot be read"),
            ("<a>&#0;</a>", "cannot be read"),
            ("<a>&#xdc00;</a>", "refers to a character that there is not"),
            ("<a>\u{1}</a>", "cannot be read"),
            ("<a/><b/>", "cannot be read"),
            ("<a/>text", "cannot be read"),
            ("text", "cannot be read"),
            ("", "cannot be read"),
            ("<a", "cannot be read"),
            ("<a><b></a></b>", "cannot be read"),
            ("<a b='1' b='2'/>", "cannot be read"),
            ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "cannot be read"),
            ("<a b='<'/>", "cannot be read"),
            ("<1a/>", "cannot be read"),
            ("<p:a/>", "cannot be read"),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", "must be UTF-8"),
            (&deep(130), "is nested too deep"),
            (&deep(1_000_000), "is nested too deep"),
            (&format!("<a{attributes}/>"), "has too many attributes or namespaces"),
            (&"<a>".repeat(100_000), "is nested too deep"),
            (&format!("<a>{}</a>", "<b/>".repeat(200_000)), "has too many values"),
        ] {
            assert_eq!(told(convention, document.as_bytes()), expected, "{convention:?} {}", &document[..document.len().min(60)]);
        }
        assert_eq!(told(convention, b"<a>\xff</a>"), "is not UTF-8");
        assert_eq!(told(convention, b"\xff\xfe<\0a\0/\0>\0"), "is not UTF-8");
        assert!(told(convention, deep(127).as_bytes()).starts_with("converted"));
    }
}

#[test]
fn a_little_that_becomes_much_is_refused_on_the_way() {
    let long = "n".repeat(100_000);
    let list = format!("{{\"{long}\":[{}0]}}", "0,".repeat(50_000));
    let begun = Instant::now();
    assert_eq!(
        xml(Convention::Schema, &json!({}), &list),
        format!("would become too large at \"/{}…/40\"", &long[..64]).replace("/40", &index(&list))
    );
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let document = format!("<a xmlns:p='{long}'>{}</a>", "<p:b/><c/>".repeat(40_000));
    assert_eq!(told(Convention::Schema, document.as_bytes()), "has a string that is too long");
    let document = format!("<a xmlns:p='{long}'>{}</a>", "<p:b/>t".repeat(40_000));
    assert_eq!(told(Convention::Wso2, document.as_bytes()), "would become too large");
}

/// Where the limit is passed: each item takes its name twice.
fn index(list: &str) -> String {
    let item = 2 * 100_000 + "<></>0".len();
    assert!(list.len() > 100_000);
    format!("/{}", (Limits::default().output - 60) / item)
}

#[test]
fn deep_json_is_refused() {
    for convention in BOTH {
        for levels in [129, 1_000_000] {
            let body = format!("{}{}", "{\"a\":".repeat(levels), "}".repeat(levels));
            assert_eq!(xml(convention, &json!({}), &body), "is nested too deep at \"\"");
        }
    }
}

/// No bytes make it panic, and what comes out of one direction is read by the other.
#[test]
fn whatever_the_bytes_are_what_comes_out_is_well_formed() {
    let mut random = round_trip::Random(7);
    let documents = [
        "<p:r xmlns:p='u' a='1'><b>1</b><!-- c --><b x='&lt;'/>t<![CDATA[<]]>&#51;</p:r>",
        "{\"a\":[1,{\"@b\":\"c\"},null],\"#text\":\"\\u00e9\"}",
    ];
    let alphabet = b"<>/='\"&;!?-[]{}:,# x1\xff\0";
    for _ in 0..20_000 {
        let mut bytes = documents[random.below(2)].as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = alphabet[random.below(alphabet.len())],
                1 => bytes.insert(at, alphabet[random.below(alphabet.len())]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        for convention in BOTH {
            let (to_json, to_xml) = (ToJson::new(of(convention), unsaid()), ToXml::new(of(convention), unsaid()).unwrap());
            if let Ok(text) = to_json.convert(&bytes) {
                serde_json::from_slice::<Value>(&text).unwrap();
            }
            if let Ok(document) = to_xml.convert(&bytes) {
                roxmltree::Document::parse(std::str::from_utf8(&document).unwrap()).unwrap();
            }
        }
    }
}
