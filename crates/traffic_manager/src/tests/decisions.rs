use serde_json::{Value, json};

use super::*;

const NOW: u64 = 1_790_000_000_000;

struct Nothing;

impl Facts for Nothing {
    fn header(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
        false
    }
    fn query(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
        false
    }
    fn claim(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
        false
    }
}

fn hear(decisions: &Decisions, message: Value) {
    let news = crate::wire_map(&serde_json::from_value(message).unwrap(), NOW);
    let _ = decisions.hear(news, Said { published: None, heard: NOW });
}

fn refuse(decisions: &Decisions, now: u64) -> Option<Level> {
    let place = Place::new("Pets", "/pets/v1", "1", "/a", "GET");
    let caller = Caller { user: "alice".into(), application: "7".into(), ..Caller::anonymous([192, 0, 2, 7].into()) };
    decisions.refuse(&place, &caller, &Nothing, now).map(|refusal| refusal.level)
}

#[test]
fn of_several_decisions_the_first_level_answers() {
    let decisions = Decisions::default();
    hear(&decisions, json!({"keyTemplateValue": "$userId:$apiContext", "keyTemplateState": "add"}));
    for (key, level) in [
        ("alice:/pets/v1", Level::Custom),
        ("7:alice", Level::Application),
        ("7:/pets/v1:1", Level::Subscription),
        ("/pets/v1/1/a:GET_default", Level::Resource),
        ("/pets/v1:1", Level::Api),
    ] {
        hear(&decisions, json!({"throttleKey": key, "isThrottled": true, "expiryTimeStamp": NOW + 1000}));
        assert_eq!(refuse(&decisions, NOW), Some(level));
    }
    assert_eq!(refuse(&decisions, NOW + 1001), None);
    for (key, next) in [
        ("/pets/v1:1", Some(Level::Resource)),
        ("/pets/v1/1/a:GET_default", Some(Level::Subscription)),
        ("7:/pets/v1:1", Some(Level::Application)),
        ("7:alice", Some(Level::Custom)),
        ("alice:/pets/v1", None),
    ] {
        hear(&decisions, json!({"throttleKey": key, "isThrottled": false}));
        assert_eq!(refuse(&decisions, NOW), next);
    }
    assert_eq!((decisions.throttled(), decisions.dropped()), (0, 0));
}

#[test]
fn a_custom_policy_counts_as_long_as_its_template_is_there() {
    let decisions = Decisions::default();
    hear(&decisions, json!({"throttleKey": "192.0.2.7", "isThrottled": true, "expiryTimeStamp": NOW + 1000}));
    assert_eq!(refuse(&decisions, NOW), None);
    hear(&decisions, json!({"keyTemplateValue": "$clientIp", "keyTemplateState": "add"}));
    assert_eq!(refuse(&decisions, NOW), Some(Level::Custom));
    hear(&decisions, json!({"keyTemplateValue": "$clientIp", "keyTemplateState": "remove"}));
    assert_eq!(refuse(&decisions, NOW), None);
    decisions.list_templates(&(vec!["$clientIp".to_owned()], 2), NOW + 1);
    assert_eq!((refuse(&decisions, NOW), decisions.dropped(), decisions.templates()), (Some(Level::Custom), 2, 1));
}

#[test]
fn a_decision_that_has_passed_takes_back_the_one_before() {
    let decisions = Decisions::default();
    for (until, expected) in [(NOW + 5, Some(Level::Api)), (NOW - 1, None)] {
        hear(&decisions, json!({"throttleKey": "/pets/v1:1", "isThrottled": true, "expiryTimeStamp": until}));
        assert_eq!((refuse(&decisions, NOW), decisions.throttled()), (expected, usize::from(expected.is_some())));
    }
}

/// A small generator; its seed is in each message, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn value(&mut self, depth: usize) -> Value {
        let texts = [
            "",
            "true",
            "false",
            "add",
            "API",
            "IP",
            "IPRANGE",
            "USER",
            "/pets/v1:1_default",
            "x_condition_9",
            "W10=",
            "W3t9XQ==",
            "é",
            "7",
        ];
        match self.below(if depth > 3 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(NOW + self.below(10_000) as u64),
            3 => json!(self.one(&[i64::MIN, -1, 0, i64::MAX])),
            4 => json!(self.one(&[u64::MAX as f64, -0.5, 1e300])),
            5 => json!(self.one(&texts)),
            6 => json!(r#"{"fixedIp":"192.0.2.7","startingIp":"1","endingIp":"::9","invert":true}"#),
            7 => (0..self.below(4)).map(|_| self.value(depth + 1)).collect(),
            _ => Value::Object((0..self.below(4)).map(|at| (at.to_string(), self.value(depth + 1))).collect()),
        }
    }

    fn message(&mut self) -> Value {
        let names = [
            "keyTemplateValue",
            "keyTemplateState",
            "throttleKey",
            "isThrottled",
            "expiryTimeStamp",
            "evaluatedConditions",
            "blockingCondition",
            "conditionValue",
            "state",
            "id",
            "tenantDomain",
            "more",
        ];
        Value::Object((0..self.below(9)).map(|_| (self.one(&names).to_owned(), self.value(0))).collect())
    }
}

#[test]
fn each_message_is_taken_or_counted_whatever_it_is() {
    for seed in 1..=20 {
        let (decisions, mut random) = (Decisions::default(), Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed)));
        let mut bad = 0;
        for _ in 0..2000 {
            let message = random.message();
            let map = serde_json::from_value(message.clone()).unwrap();
            let news = match random.below(3) {
                0 => crate::text(json!({"event": {"payloadData": message}}).to_string().as_bytes(), NOW),
                1 => crate::text(message.to_string().as_bytes(), NOW),
                _ => crate::wire_map(&map, NOW),
            };
            let published = random.one(&[None, Some(NOW), Some(0), Some(u64::MAX)]);
            bad += u64::from(decisions.hear(news, Said { published, heard: NOW }).is_err());
        }
        assert_eq!(decisions.dropped(), bad, "seed {seed}");
        assert!(bad > 0 && bad < 2000, "seed {seed}: {bad} of 2000 are bad, so the test says little");
        refuse(&decisions, NOW);
        (0..16).for_each(|_| decisions.tick(u64::MAX));
        assert_eq!(decisions.throttled(), 0, "seed {seed}");
    }
}

#[test]
fn bytes_of_any_kind_are_no_list_and_no_panic() {
    let mut random = Random(7);
    let good = br#"{"ip":[{"type":"IP","fixedIp":"192.0.2.7","id":1,"tenantDomain":"x"}],"api":["/a"]}"#;
    for _ in 0..5000 {
        let mut bytes = good.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        bytes.truncate(random.below(bytes.len() + 1));
        if let Ok(blocked) = crate::blocks(&bytes) {
            Decisions::default().list_blocks(blocked, NOW);
        }
        let _ = crate::key_templates(&bytes);
        let _ = crate::text(&bytes, NOW);
    }
}
