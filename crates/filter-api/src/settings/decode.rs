//! Settings as data to a Rust type; what does not fit is a [`Problem`] that says what was expected and shows no value.
//!
//! Stricter than the formats' own decoders: a list is never taken for a map whose keys come in order. A value is not repeated,
//! because it may be a secret that was written in the wrong form.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, Deserializer, Expected, IntoDeserializer, Unexpected, Visitor,
    value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::{Problem, nearest, pointer};

/// Decodes settings. The pointer of a problem is relative to them.
///
/// # Errors
/// A `decode.unknown_key`, `decode.missing` or `decode.value` problem.
pub fn decode<T: DeserializeOwned>(settings: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Strict(settings)).map_err(|error| {
        let place = place(error.path());
        let mut problem = error.into_inner().0;
        problem.pointer = place;
        problem
    })
}

/// A decoder's path as a JSON Pointer.
fn place(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |place, segment| match segment {
        Segment::Seq { index } => format!("{place}/{index}"),
        Segment::Map { key } => pointer::join(&place, key),
        Segment::Enum { .. } | Segment::Unknown => place,
    })
}

struct Strict(Value);

impl<'de> Deserializer<'de> for Strict {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Strict));
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(members.into_iter().map(|(key, value)| (key, Strict(value))));
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_array() { Err(de::Error::invalid_type(Unexpected::Seq, &visitor)) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::String(text) => visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(text)),
            Value::Object(members) if members.len() == 1 => {
                let members = MapDeserializer::new(members.into_iter().map(|(key, value)| (key, Strict(value))));
                MapAccessDeserializer::new(members).deserialize_enum(name, variants, visitor)
            }
            other => Err(Wrong::value(format!("expected one of {}, found {}", quoted(variants), found(unexpected(&other))))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Wrong> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(_) => Unexpected::Other("a number"),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// What does not fit, without its place.
#[derive(Debug)]
struct Wrong(Problem);

impl Wrong {
    fn value(message: impl Into<String>) -> Self {
        Self(Problem::error("decode.value", message))
    }

    fn among(code: &'static str, message: String, wrong: &str, known: &[&str]) -> Self {
        let list = known.join(", ");
        let hint = match nearest(wrong, known.iter().copied()) {
            Some(guess) => format!("did you mean `{guess}`? Known are: {list}"),
            None => format!("known are: {list}"),
        };
        Self(Problem::error(code, message).hint(hint))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        match message.to_string().as_str() {
            "invalid socket address syntax" => Self::value("expected an address and a port, such as 0.0.0.0:9090 or [::]:9090"),
            other => Self::value(other),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let quotable = matches!(unexpected, Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_));
        let wrong = Self::value(format!("expected {}, found {}", wanted(expected), found(unexpected)));
        match expected.to_string().as_str() {
            "a string" if quotable => Self(wrong.0.hint("put quotes around it")),
            _ => wrong,
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::value(format!("expected {}, found {}", wanted(expected), found(unexpected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::value(format!("expected {}, found {length} of them", wanted(expected)))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::among("decode.value", format!("`{variant}` is not one of the known values"), variant, known)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        if known.is_empty() {
            return Self(Problem::error("decode.unknown_key", format!("unknown key `{field}`; no key is expected here")));
        }
        Self::among("decode.unknown_key", format!("unknown key `{field}`"), field, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Problem::error("decode.missing", format!("the key `{field}` is missing")))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::value(format!("the key `{field}` stands here twice"))
    }
}

/// What was expected, in the words of the file.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a sequence" => "a list".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "path string" => "a path".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        _ if text.starts_with("struct ") => "a map".to_owned(),
        _ => text,
    }
}

fn found(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Signed(number) if number < 0 => "a number below 0",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Other("a number") => "a number",
        Unexpected::Float(_) => "a number with a fraction, or too large",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a map",
        _ => "something else",
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "tests/decode.rs"]
mod tests;
