use base64::engine::general_purpose;
use serde_json::{Value, json};

use super::*;

/// A request with these fields, parameters and claims.
struct Has([&'static [(&'static str, &'static str)]; 3]);

impl Has {
    fn one(&self, kind: usize, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        self.0[kind].iter().any(|(known, value)| *known == name && is(value.as_bytes()))
    }
}

impl Facts for Has {
    fn header(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        self.one(0, name, is)
    }
    fn query(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        self.one(1, name, is)
    }
    fn claim(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        self.one(2, name, is)
    }
}

const REQUEST: Has = Has([&[("X-Kind", "a"), ("X-Kind", "gold-7")], &[("page", "12")], &[("plan", "trial")]]);

fn written(groups: &Value) -> Result<Vec<Group>, Bad> {
    read(&general_purpose::STANDARD.encode(groups.to_string()))
}

fn holds(group: Value) -> bool {
    written(&json!([group])).unwrap()[0].holds("192.0.2.7".parse().unwrap(), &REQUEST)
}

#[test]
fn a_group_holds_when_all_of_it_does() {
    for (group, expected) in [
        (json!({}), true),
        (json!({"ipspecific": {"specificIp": "3221225991", "invert": false}}), true),
        (json!({"ipspecific": {"specificIp": 3_221_225_991_u64, "invert": true}}), false),
        (json!({"ipspecific": {"specificIp": "192.0.2.8"}}), false),
        (json!({"iprange": {"specificIp": 0, "startingIp": "3221225984", "endingIp": "3221226239", "invert": false}}), true),
        (json!({"iprange": {"startingIp": "192.0.3.0", "endingIp": "192.0.3.255", "invert": true}}), true),
        (json!({"header": {"invert": false, "values": {"X-Kind": "^gold"}}}), true),
        (json!({"header": {"invert": false, "values": {"X-Kind": "^old"}}}), false),
        (json!({"header": {"invert": false, "values": {"X-Kind": "gold", "X-None": "."}}}), false),
        (json!({"header": {"invert": true, "values": {"X-None": "."}}}), true),
        (json!({"queryparametertype": {"values": {"page": "^\\d+$"}}}), true),
        (json!({"queryparametertype": {"values": {"Page": "1"}}}), false),
        (json!({"jwtclaims": {"values": {"plan": "trial|free"}}}), true),
        (json!({"jwtclaims": {"values": {"plan": "free"}}, "queryparametertype": {"values": {"page": "1"}}}), false),
    ] {
        assert_eq!(holds(group.clone()), expected, "{group}");
    }
}

#[test]
fn addresses_of_ipv6_are_numbers_too_large_for_most_readers() {
    let text = r#"[{"ipspecific":{"specificIp":42540766411282592856903984951653826561,"invert":false}}]"#;
    let groups = read(&general_purpose::STANDARD.encode(text)).unwrap();
    assert!(groups[0].holds("2001:db8::1".parse().unwrap(), &REQUEST));
    assert!(!groups[0].holds("2001:db8::2".parse().unwrap(), &REQUEST));
}

#[test]
fn conditions_are_read_in_every_spelling_of_base64() {
    let groups = json!([{"header": {"values": {"X-Kind": "a>?~\u{fb}"}}}]).to_string();
    for text in [
        general_purpose::STANDARD.encode(&groups),
        general_purpose::URL_SAFE.encode(&groups),
        general_purpose::URL_SAFE_NO_PAD.encode(&groups),
    ] {
        assert_eq!(read(&text).map(|groups| groups.len()), Ok(1), "{text}");
    }
}

#[test]
fn what_cannot_be_decided_or_is_too_much_is_refused_whole() {
    let many = |count: usize| (0..count).map(|at| (at.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>();
    for bad in [
        json!([{"weekday": {"values": ["monday"]}}]),
        json!([{"ipspecific": {}}]),
        json!([{"ipspecific": {"specificIp": "192.0.2"}}]),
        json!([{"ipspecific": {"specificIp": "-1"}}]),
        json!([{"ipspecific": {"specificIp": [1]}}]),
        json!([{"iprange": {"startingIp": "9", "endingIp": "8"}}]),
        json!([{"header": {"values": {"X": "("}}}]),
        json!([{"header": {"values": {"X": "(?=lookahead)"}}}]),
        json!([{"header": {"values": {"X": "(a{1000}){1000}"}}}]),
        json!([{"header": {"values": {"X": "x".repeat(1025)}}}]),
        json!([{"header": {"values": many(33)}}]),
        json!(vec![json!({}); 33]),
        json!({}),
        json!("x"),
    ] {
        assert!(written(&bad).is_err(), "{bad}");
    }
    assert!(written(&json!(vec![json!({"header": {"values": many(32)}}); 32])).is_ok());
    assert!(read("no base64!").is_err() && read(&"A".repeat(LONGEST_CONDITIONS + 1)).is_err());
}

#[test]
fn a_pattern_that_would_take_for_ever_elsewhere_takes_no_time() {
    let groups = written(&json!([{"jwtclaims": {"values": {"plan": "^(t+)+$"}}}])).unwrap();
    struct Long(String);
    impl Facts for Long {
        fn header(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
            false
        }
        fn query(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
            false
        }
        fn claim(&self, _: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
            is(self.0.as_bytes())
        }
    }
    // A search that goes back would try 2^20000 ways.
    assert!(!groups[0].holds("::1".parse().unwrap(), &Long(format!("{}x", "t".repeat(20_000)))));
}
