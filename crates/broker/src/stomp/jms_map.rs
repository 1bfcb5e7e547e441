//! A JMS MapMessage as ActiveMQ's transformation `jms-map-json` writes it.
//!
//! `{"map":{"entry":[{"string":["name","text"]},{"string":"name","long":7}]}}`: an entry whose value is a string is one
//! list of two strings, every other one has the name under `string` and the value under the name of its type. A map of one
//! entry has no list around it. The writer turns texts that look like numbers into numbers: a value may come back as one,
//! and a name too.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The fields, or `None` when the text has not this shape.
pub(crate) fn read(text: &str) -> Option<BTreeMap<String, Value>> {
    let document: Map<String, Value> = serde_json::from_str(text).ok()?;
    let map = document.get("map").filter(|_| document.len() == 1)?;
    let entries = match map {
        Value::String(empty) if empty.trim().is_empty() => &[][..],
        Value::Null => &[][..],
        Value::Object(object) if object.len() == 1 => match object.get("entry")? {
            Value::Array(entries) => entries,
            single => std::slice::from_ref(single),
        },
        _ => return None,
    };
    entries.iter().map(entry).collect()
}

fn entry(entry: &Value) -> Option<(String, Value)> {
    let entry = entry.as_object()?;
    match entry.get("string")? {
        Value::Array(pair) if entry.len() == 1 => match &pair[..] {
            [key, value] => Some((name(key)?, value.clone())),
            _ => None,
        },
        key if entry.len() == 2 => {
            let (kind, value) = entry.iter().find(|(kind, _)| *kind != "string")?;
            Some((name(key)?, if kind == "null" { Value::Null } else { value.clone() }))
        }
        _ => None,
    }
}

fn name(key: &Value) -> Option<String> {
    match key {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(text: &str) -> Option<Value> {
        read(text).map(|fields| json!(fields))
    }

    #[test]
    fn texts_numbers_and_truth_values_are_read() {
        let text = r#"{"map":{"entry":[{"string":["revokedToken","jti-123"]},{"string":"expiryTime","long":1790000000000},
            {"string":"b","boolean":true},{"string":"raw","byte-array":"AQID"},{"string":"nothing","null":""}]}}"#;
        let expected = json!({"revokedToken": "jti-123", "expiryTime": 1_790_000_000_000_u64, "b": true, "raw": "AQID", "nothing": null});
        assert_eq!(fields(text), Some(expected));
    }

    #[test]
    fn a_single_entry_has_no_list_and_an_empty_map_no_entry() {
        assert_eq!(fields(r#"{"map":{"entry":{"string":["a","b"]}}}"#), Some(json!({"a": "b"})));
        assert_eq!(fields(r#"{"map":""}"#), Some(json!({})));
    }

    #[test]
    fn names_and_texts_that_look_like_numbers_come_as_numbers() {
        assert_eq!(fields(r#"{"map":{"entry":[{"string":["ttl",3600]},{"string":[7,"x"]}]}}"#), Some(json!({"ttl": 3600, "7": "x"})));
    }

    #[test]
    fn another_shape_is_no_map() {
        for text in [
            "plain",
            "[]",
            r#"{"map":{"entry":[{"string":["a","b"]}]},"more":1}"#,
            r#"{"map":{"entry":[{"string":["a"]}]}}"#,
            r#"{"map":{"entry":[{"string":["a","b","c"]}]}}"#,
            r#"{"map":{"entry":["a"]}}"#,
            r#"{"map":{"entry":[{"long":1}]}}"#,
            r#"{"map":[1]}"#,
            r#"{"event":{"payloadData":{}}}"#,
        ] {
            assert_eq!(fields(text), None, "{text}");
        }
    }
}
