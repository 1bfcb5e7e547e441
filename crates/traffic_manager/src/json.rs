//! JSON of strangers, and the scalars in it. A broker hands on a text that looks like a number as one.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bounds::{DEEPEST, LONGEST_KEY};

/// What was said cannot be understood, or is too much. It is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bad(pub(crate) &'static str);

/// Reads a text that is no deeper than it may be.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8], what: &'static str) -> Result<T, Bad> {
    if depth(text) > DEEPEST {
        return Err(Bad("JSON that is nested too deeply"));
    }
    serde_json::from_slice(text).map_err(|_| Bad(what))
}

/// How deep a text is nested, whether it is JSON or not.
pub(crate) fn depth(text: &[u8]) -> usize {
    let (mut now, mut most, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                most = most.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// A key, name or value: text, or what was made of one.
pub(crate) fn name<'a>(value: &'a Value) -> Result<Cow<'a, str>, Bad> {
    let name = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => return Err(Bad("a name that is no text")),
    };
    if name.is_empty() || name.len() > LONGEST_KEY {
        return Err(Bad("a name that is empty or too long"));
    }
    Ok(name)
}

/// A truth value, typed or as text.
pub(crate) fn truth(value: &Value) -> Result<bool, Bad> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Bad("a truth value that is neither true nor false")),
    }
}

/// A whole number, typed or as text.
pub(crate) fn whole(value: &Value) -> Result<i64, Bad> {
    let number = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or(Bad("a number that is not whole, or too large"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        for (text, expected) in [("7", 0), ("{}", 1), (r#"{"a":[{}]}"#, 3), (r#"["[[[[\"[[",{}]"#, 2), ("]]]{", 1)] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(DEEPEST + 1), "]".repeat(DEEPEST + 1));
        assert!(read::<Value>(deep.as_bytes(), "").is_err());
        assert!(read::<Value>(&deep.as_bytes()[1..=2 * DEEPEST], "").is_ok());
    }

    #[test]
    fn scalars_are_read_typed_and_as_text() {
        assert_eq!([json!(true), json!("True")].map(|value| truth(&value)), [Ok(true); 2]);
        assert_eq!([json!(false), json!("false")].map(|value| truth(&value)), [Ok(false); 2]);
        assert!([json!(1), json!("1"), json!(null)].iter().all(|value| truth(value).is_err()));
        assert_eq!([json!(-7), json!("-7")].map(|value| whole(&value)), [Ok(-7); 2]);
        assert!([json!(0.5), json!(""), json!("7x"), json!([7])].iter().all(|value| whole(value).is_err()));
        assert_eq!([json!("a"), json!(7)].map(|value| name(&value).unwrap().into_owned()), ["a", "7"]);
        assert!([json!(""), json!(null), json!({}), json!("x".repeat(1025))].iter().all(|value| name(value).is_err()));
    }
}
