//! Bodies that were made from good ones by small changes, in every notation.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{coding::gzip, *};
use crate::rules::{Style, reference};

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// What a client alone knows.
const SECRET: &str = "s3cr3t";

fn schema() -> Value {
    let text = json!({"type": "string", "maxLength": 40});
    json!({"type": ["object", "array", "string"], "required": ["id"], "properties": {
        "id": {"type": "integer"}, "name": text, "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "home": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]+$"}}}, "file": {"type": "string", "format": "binary"},
        "kids": {"type": "array", "items": {"$ref": reference(0)}, "xml": {"wrapped": true}}, "at": {"type": "string", "xml": {"attribute": true}}},
        "additionalProperties": {"type": ["number", "object"]}})
}

fn judge(range: &str) -> Judge {
    let style = |style| Encoding { style: Some(style), ..Encoding::default() };
    let encoding = [("tags", style(Style::PipeDelimited)), ("home", style(Style::DeepObject))];
    let is_form = range.ends_with("urlencoded");
    let rule = MediaRule { item_schema: range.contains("json").then_some(0), ..rule(range, Some(0)) };
    Judge::of(&[encoded(rule, if is_form { &encoding } else { &[] })], &[schema()])
}

/// Judges 20,000 changed bodies. None may panic, repeat the secret, or take long; some must be good and some bad.
fn hostile(content_type: &str, encoding: Option<&str>, seeds: &[Vec<u8>], alphabet: &[u8]) {
    let judge = judge(content_type.split(';').next().unwrap());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    let begun = Instant::now();
    for round in 0..20_000 {
        let mut body = seeds[round % seeds.len()].clone();
        for _ in 0..numbers.below(4) {
            let at = numbers.below(body.len());
            let byte = alphabet[numbers.below(alphabet.len())];
            match numbers.below(5) {
                0 if !body.is_empty() => drop(body.remove(at)),
                1 if !body.is_empty() => body[at] = byte,
                2 => body.truncate(at),
                3 => {
                    let piece = body[at..(at + numbers.below(12)).min(body.len())].to_vec();
                    body.splice(at..at, piece);
                }
                _ => body.insert(at, byte),
            }
        }
        let found = judge.findings(content_type, encoding, &body);
        assert!(!format!("{found:?}").contains(SECRET), "{found:?}");
        if found.is_empty() { good += 1 } else { bad += 1 }
    }
    assert!(good > 500 && bad > 500, "{good} {bad}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.replace("SECRET", SECRET).into_bytes()).collect()
}

const VALUE: &str = "{\"id\":1,\"name\":\"SECRET\",\"tags\":[\"a\"],\"home\":{\"zip\":\"12\"},\"kids\":[{\"id\":2}],\"SECRET\":1.5}";

#[test]
fn changed_json_is_judged_without_harm() {
    hostile("application/json", None, &bytes(&[VALUE, "[\"SECRET\", 1]"]), b"{}[]\",:\\u0019.eE-tn \xff\xc3");
}

#[test]
fn changed_lines_and_records_are_judged_without_harm() {
    let lines = bytes(&["{\"id\":1}\n{\"id\":2,\"SECRET\":1}\n", "{\"id\":1,\"name\":\"SECRET\"}"]);
    hostile("application/jsonl", None, &lines, b"{}[]\",:\n\r1\x1e\xff");
    hostile("application/json-seq", None, &bytes(&["\x1e{\"id\":1}\n\x1e{\"id\":2,\"SECRET\":1}\n"]), b"{}[]\",:\n\r1\x1e\xff");
}

#[test]
fn changed_events_are_judged_without_harm() {
    let events = bytes(&["id: 1\ndata: SECRET\n\n", "event: SECRET\r\nid: 1\r\ndata: x\r\n\r\n: SECRET\n\ndata: 1\n\n", "data: x\n"]);
    hostile("text/event-stream", None, &events, b"data:\n\r id1\0\xff\xef\xbb\xbf");
}

#[test]
fn changed_forms_are_judged_without_harm() {
    let forms = bytes(&["id=1&name=SECRET&tags=a%7Cb&home%5Bzip%5D=12&SECRET=1", "id=1&home[zip]=1&kids={\"id\":2}&name=%C3%A9+x"]);
    hostile("application/x-www-form-urlencoded", None, &forms, b"&=%[]|+;,{}\"Cc0 \xff\0");
}

#[test]
fn changed_parts_are_judged_without_harm() {
    let part =
        |name: &str, head: &str, value: &str| format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"{head}\r\n\r\n{value}\r\n");
    let file = part("file", "; filename=\"SECRET\"\r\nContent-Type: image/png", "\u{1}SECRET");
    let all =
        [part("id", "", "1"), part("tags", "", "a"), part("home", "\r\nContent-Type: application/json", "{\"zip\":\"1\"}"), file].concat();
    let few = part("id", "", "1") + &part("SECRET", "", "2");
    hostile(
        "multipart/form-data; boundary=b0",
        None,
        &bytes(&[&format!("{all}--b0--\r\n"), &format!("{few}--b0--")]),
        b"\r\n-b0;=\":\\ \xff\0",
    );
}

#[test]
fn changed_documents_are_judged_without_harm() {
    let documents = bytes(&[
        "<?xml version='1.0' encoding='utf-8'?><r at='SECRET'><id>1</id><home><zip>1</zip></home><kids><kids><id>1</id></kids></kids></r>",
        "<p:r xmlns:p='u'><id>1</id><!-- SECRET --><tags>a</tags><name><![CDATA[SECRET]]>&lt;</name><SECRET>1</SECRET></p:r>",
    ]);
    hostile("application/xml", None, &documents, b"<>/='\"&;!?-[]: x\xff\0");
}

#[test]
fn changed_text_is_judged_without_harm() {
    hostile("text/plain", None, &bytes(&["SECRET", "plain \u{e9}"]), b"a\0\xff\xc3\n");
}

#[test]
fn changed_compressed_bodies_are_judged_without_harm() {
    let all: Vec<u8> = (0..=255).collect();
    hostile("application/json", Some("gzip"), &[gzip(VALUE.replace("SECRET", SECRET).as_bytes())], &all);
}

/// The longest way to a refusal is the last value that is wrong. A schema is gone through once more to say what it is.
#[test]
fn a_refused_body_costs_no_more_than_a_few_good_ones() {
    let items = |last: &str| format!("[{}{last}]", "{\"id\":1,\"name\":\"x\",\"tags\":[\"a\",\"b\"]},".repeat(2_000));
    let lines = |last: &str| format!("{}{last}", "{\"id\":1,\"name\":\"x\",\"tags\":[\"a\",\"b\"]}\n".repeat(2_000));
    let document = |last: &str| format!("<r><id>1</id><kids>{}</kids>{last}</r>", "<kids><id>1</id></kids>".repeat(2_000));
    let form = |last: &str| format!("id=1&tags=a{}{last}", "|a".repeat(20_000));
    let list = || Judge::of(&[rule("application/json", Some(1))], &[schema(), json!({"items": {"$ref": reference(0)}})]);
    for (content_type, judge, good, bad) in [
        ("application/json", list(), items("{\"id\":1}"), items("{\"id\":true}")),
        ("application/jsonl", judge("application/jsonl"), lines("{\"id\":1}"), lines("{\"id\":true}")),
        ("application/xml", judge("application/xml"), document(""), document("<home><zip>x</zip></home>")),
        ("application/x-www-form-urlencoded", judge("application/x-www-form-urlencoded"), form(""), form("|c")),
    ] {
        let time = |body: &str, is_good: bool| {
            let begun = Instant::now();
            assert_eq!(judge.told(content_type, body).is_empty(), is_good, "{content_type}");
            begun.elapsed()
        };
        // The best of each counts, and the more of them the busier the machine is.
        let mut best = (Duration::MAX, Duration::MAX);
        let is_cheap = |_| {
            best = (best.0.min(time(&good, true)), best.1.min(time(&bad, false)));
            best.1 < best.0 * 5
        };
        assert!((0..60).any(is_cheap), "{content_type} {best:?}");
    }
}
