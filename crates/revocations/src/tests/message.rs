use serde_json::json;

use super::*;

const NOW: u32 = 1_800_000_000;

fn map(value: Value) -> Result<Statement, Bad> {
    wire_map(&serde_json::from_value(value).unwrap(), NOW)
}

#[test]
fn the_references_forms_mean_the_same() {
    let expected = map(json!({ "revokedToken": "x", "ttl": "3600" })).unwrap();
    assert_eq!(map(json!({ "revokedToken": "x", "ttl": 3600, "type": "DEFAULT", "tenantId": -1234 })).unwrap(), expected);
    for body in [
        r#"{"event":{"payloadData":{"revokedToken":"x","ttl":"3600"}}}"#,
        r#"{"event":{"payloadData":{"revokedToken":"x","ttl":3600,"eventId":"e"},"x":1}}"#,
        r#"{"revokedToken":"x","ttl":3600}"#,
    ] {
        assert_eq!(text(body.as_bytes(), NOW).unwrap(), expected, "{body}");
    }
    assert_eq!(pair(b"jti/x", b"3600", NOW).unwrap(), pair(b"x", br#"{"ttl":3600}"#, NOW).unwrap());
    assert_eq!(pair(b"jti/x", b"true", NOW).unwrap(), pair(b"x", b"", NOW).unwrap());
}

/// Its publisher sends a `ttl` of an hour by default, whatever the token is, and an `expiryTime` of 0 for a token it cannot read.
#[test]
fn a_time_to_live_that_is_not_the_tokens_does_not_let_it_pass_again() {
    let a_day = pair(b"x", b"86400", NOW).unwrap();
    for (fields, expected) in [
        (json!({ "ttl": "3600" }), &a_day),
        (json!({ "ttl": 1 }), &a_day),
        (json!({ "ttl": "3600", "expiryTime": 0 }), &a_day),
        (json!({ "ttl": "3600", "expiryTime": 1_800_000_001_000_u64 }), &a_day),
        (json!({ "ttl": "90000" }), &pair(b"x", b"90000", NOW).unwrap()),
        (json!({ "expiryTime": "1800000060000" }), &pair(b"x", b"60", NOW).unwrap()),
        (json!({ "ttl": "", "expiryTime": null }), &pair(b"x", b"", NOW).unwrap()),
        (json!({ "ttl": "-1" }), &pair(b"x", b"", NOW).unwrap()),
        (json!({ "ttl": "3600", "expiryTime": -9_223_372_036_854_000_000_i64 }), &pair(b"x", b"", NOW).unwrap()),
        (json!({ "ttl": "3600", "expiryTime": i64::MAX }), &pair(b"x", b"", NOW).unwrap()),
        (json!({ "expiryTime": 0 }), &pair(b"x", b"", NOW).unwrap()),
    ] {
        let mut message = fields.clone();
        message["revokedToken"] = "x".into();
        assert_eq!(&map(message.clone()).unwrap(), expected, "{fields}");
        assert_eq!(&text(message.to_string().as_bytes(), NOW).unwrap(), expected, "{fields}");
    }
}

/// ActiveMQ's transformation of a MapMessage writes texts that are numbers as numbers.
#[test]
fn a_name_of_digits_is_a_name() {
    assert_eq!(
        map(json!({ "revokedToken": 123_456, "ttl": 90_000 })).unwrap(),
        map(json!({ "revokedToken": "123456", "ttl": "90000" })).unwrap()
    );
    assert_eq!(
        map(json!({ "client": 42, "before": 1_700_000_000 })).unwrap(),
        map(json!({ "client": "42", "before": "1700000000" })).unwrap()
    );
    assert!(text(br#"{"revokedToken":7}"#, NOW).is_err());
}

#[test]
fn a_broker_may_say_all_that_the_operators_port_takes() {
    for instruction in [
        json!({ "client": "shop" }),
        json!({ "client": "shop", "before": "1700000000", "ttl": "60" }),
        json!({ "subject": "alice", "before": 1_700_000_000, "expires": 1_900_000_000_000_u64 }),
        json!({ "signature": "sig==" }),
        json!({ "kind": "jti", "value": "x" }),
    ] {
        let said = instruction.to_string();
        let expected = Instruction::read(said.as_bytes(), 1, NOW).unwrap().remove(0);
        assert_eq!(map(instruction).unwrap(), expected, "{said}");
        assert_eq!(text(said.as_bytes(), NOW).unwrap(), expected, "{said}");
    }
}

#[test]
fn the_later_of_two_ends_counts() {
    let late = map(json!({ "revokedToken": "x", "ttl": 1, "expiryTime": 1_900_000_000_000_u64 })).unwrap();
    assert_eq!(late, map(json!({ "revokedToken": "x", "expiryTime": "1900000000" })).unwrap());
}

#[test]
fn what_is_not_a_revocation_is_refused() {
    for value in [
        json!({}),
        json!({ "revokedToken": true }),
        json!({ "revokedToken": ["x"] }),
        json!({ "revokedToken": "" }),
        json!({ "revokedToken": "x", "ttl": "soon" }),
        json!({ "revokedToken": "x", "ttl": "--1" }),
        json!({ "revokedToken": "x", "ttl": -1.5 }),
        json!({ "revokedToken": "x", "client": "y", "ttl": "never" }),
        json!({ "client": "x", "subject": "y", "before": 1 }),
        json!({ "client": "x", "unknown": "y" }),
        json!({ "revokedToken": "x", "ttl": {} }),
        json!({ "revokedtoken": "x" }),
    ] {
        assert!(map(value.clone()).is_err(), "{value}");
        assert!(text(value.to_string().as_bytes(), NOW).is_err(), "{value}");
    }
    for (key, value) in
        [(&b""[..], &b""[..]), (b"a/", b""), (b"\xff", b""), (b"a", b"x"), (b"a", b"\xff"), (b"a", b"{"), (b"a", b"{\"x\":1}")]
    {
        assert!(pair(key, value, NOW).is_err(), "{key:?} {value:?}");
    }
    assert!(text(&vec![b' '; LONGEST_MESSAGE + 1], NOW).is_err() && pair(b"a", &vec![b'1'; LONGEST_MESSAGE + 1], NOW).is_err());
    assert!(text("[".repeat(60_000).as_bytes(), NOW).is_err());
}

/// The class of CVE-2026-4249: whatever arrives, it is an answer and not a crash.
#[test]
fn garbled_messages_never_panic() {
    let seeds: [&[u8]; 3] = [
        br#"{"event":{"payloadData":{"revokedToken":"eyJh.eyJi.c2ln","ttl":"3600"}}}"#,
        br#"{"subject":"alice","before":1700000000,"expires":1900000000000}"#,
        br#"{"kind":"token","value":"abc==","ttl":12}"#,
    ];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for round in 0..60_000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"{}[]\",:\\0-e."[next(12)]),
            }
        }
        let _ = text(&bytes, NOW);
        let _ = pair(&bytes, &bytes, NOW);
        let _ = pair(b"k", &bytes, NOW);
        let _ = Instruction::read(&bytes, 10, NOW);
    }
}

#[test]
fn a_message_or_value_that_is_too_long_is_not_read() {
    let long = format!(r#"{{"jti":"{}"}}"#, "x".repeat(100));
    let padded = |length: usize| format!("{long}{}", " ".repeat(length - long.len())).into_bytes();
    assert!(text(&padded(LONGEST_MESSAGE), 0).is_ok() && pair(b"key", &padded(LONGEST_MESSAGE), 0).is_ok());
    assert!(text(&padded(LONGEST_MESSAGE + 1), 0).is_err() && pair(b"key", &padded(LONGEST_MESSAGE + 1), 0).is_err());
}
