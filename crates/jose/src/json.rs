//! JSON as a token may carry it: one object, no name twice, bounded depth.
//!
//! A general parser keeps one of two equal names, and which one differs between parsers: whoever checks the claim and whoever
//! uses it then disagree. Here an object with a name twice is no object. The size is bounded by whoever hands the bytes in.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deeper than any claim that was met in the field, shallow enough for every stack.
const MAX_DEPTH: usize = 16;

/// Reads one JSON object and nothing behind it. A number that no `f64` holds is an error.
///
/// # Errors
/// Where and why the bytes are no such object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader)?;
    reader.end()?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Error::custom("not an object")),
    }
}

/// Reads an object as [`object`] does and leaves out its members that are null: they say nothing, and count as absent.
///
/// # Errors
/// As [`object`].
pub fn members(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut map = object(bytes)?;
    map.retain(|_, value| !value.is_null());
    Ok(map)
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a name twice in one object"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::{members, object};

    #[test]
    fn a_name_twice_is_refused_at_every_depth() {
        assert!(object(br#"{"a":1,"b":1}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":{"a":1,"a":2}}"#, r#"{"x":[{"a":1,"a":2}]}"#] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_member_that_is_null_counts_as_absent_and_a_name_is_still_there_once_only() {
        assert_eq!(serde_json::to_string(&members(br#"{"a":null,"b":{"c":null},"d":[]}"#).unwrap()).unwrap(), r#"{"b":{"c":null},"d":[]}"#);
        assert!(members(br#"{"a":null,"a":1}"#).is_err());
    }

    #[test]
    fn only_one_object_is_read() {
        for text in ["", "[]", "1", "null", "\"a\"", "{} {}", "{}x", "{", "{\"a\":1e400}", "{\"a\":NaN}", "{'a':1}", "{\"a\":\"\\ud800\"}"]
        {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(b"\xef\xbb\xbf{}").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(object(nested(15).as_bytes()).is_ok());
        assert!(object(nested(16).as_bytes()).is_err());
        assert!(object(nested(100_000).as_bytes()).is_err());
    }
}
