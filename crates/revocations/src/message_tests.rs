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
    assert_eq!(pair(b"jti/x", b"3600", NOW).unwrap(), expected);
    assert_eq!(pair(b"x", br#"{"ttl":3600}"#, NOW).unwrap(), expected);
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
        json!({ "revokedToken": 7 }),
        json!({ "revokedToken": "" }),
        json!({ "revokedToken": "x", "ttl": "soon" }),
        json!({ "revokedToken": "x", "ttl": -1 }),
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
