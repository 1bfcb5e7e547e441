use super::*;

const NOW: u32 = 1_800_000_000;

fn read(json: &str) -> Result<Vec<Statement>, Bad> {
    Instruction::read(json.as_bytes(), 3, NOW)
}

#[test]
fn an_end_is_a_point_in_seconds_or_milliseconds_or_a_length() {
    for (number, end) in [
        (1_900_000_000, 1_900_000_000),
        (1_900_000_000_000, 1_900_000_000),
        (3600, NOW + 3600),
        (3_600_000, NOW + 3_600_000),
        (u64::MAX, u32::MAX),
    ] {
        assert_eq!(Number(number).end(NOW), end, "{number}");
    }
}

#[test]
fn what_names_nothing_or_two_things_or_something_unknown_is_refused() {
    for json in [
        "{}",
        "[]",
        "",
        "null",
        "7",
        r#"{"jti":"a","token":"b"}"#,
        r#"{"jti":""}"#,
        r#"{"jti":7}"#,
        r#"{"jti":"a","x":1}"#,
        r#"{"jti":"a","before":1}"#,
        r#"{"subject":"a"}"#,
        r#"{"jti":"a","expires":-1}"#,
        r#"{"jti":"a","expires":1.5}"#,
        r#"{"jti":"a","ttl":"1e3"}"#,
        r#"{"kind":"jti"}"#,
        r#"{"kind":"x","value":"a"}"#,
        r#"{"jti":"a"} {"#,
        r#"{"jti":"a\u0000"}"#,
        r#"[{"jti":"a"},{"jti":"b"},{"jti":"c"},{"jti":"d"}]"#,
        r#"{"jti":"a","jti":"b"}"#,
    ] {
        assert!(read(json).is_err(), "{json}");
    }
    assert!(read(&format!(r#"{{"jti":"{}"}}"#, "x".repeat(LONGEST_NAME + 1))).is_err());
}

#[test]
fn a_refusal_does_not_repeat_what_was_sent() {
    for json in [r#"{"secret-name":"secret-value"}"#, r#"{"token":["secret-value"]}"#, r#"{"kind":"secret-name","value":"secret-value"}"#] {
        let error = read(json).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(!format!("{:?}", read(r#"{"token":"secret"}"#)).contains("secret"));
    }
}
