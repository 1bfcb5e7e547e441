//! YAML 1.2 core schema: what a plain scalar means. `yes`, `no`, `on`, `off` and dates stay text.

use serde_json::Number;

use crate::tree::Kind;

/// The meaning of a plain scalar.
pub(crate) fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => number(text).map_or_else(|| Kind::String(text.into()), |value| Kind::number(value, text)),
    }
}

/// Whole numbers that fit no machine word become floats. Infinities and NaN have no place in JSON and stay text.
pub(crate) fn number(text: &str) -> Option<Number> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return whole(text);
    }
    is_float(unsigned).then(|| text.parse().ok().and_then(Number::from_f64)).flatten()
}

fn radix(digits: &str, radix: u32) -> Option<Number> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Number::from)
}

fn whole(text: &str) -> Option<Number> {
    let text = text.strip_prefix('+').unwrap_or(text);
    text.parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| text.parse().ok().and_then(Number::from_f64))
}

/// `(\.[0-9]+ | [0-9]+(\.[0-9]*)?) ([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let good_mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    good_mantissa && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match plain(text) {
            Kind::Null => "null".into(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number { value, .. } => value.to_string(),
            Kind::String(text) => format!("{text:?}"),
            _ => unreachable!("a scalar is no container"),
        }
    }

    #[test]
    fn the_core_schema_and_nothing_else_is_resolved() {
        for (text, expected) in [
            ("~", "null"),
            ("True", "true"),
            ("12", "12"),
            ("-12", "-12"),
            ("+3", "3"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000.0"),
            ("18446744073709551615", "18446744073709551615"),
            ("yes", "\"yes\""),
            ("off", "\"off\""),
            ("2020-01-01", "\"2020-01-01\""),
            ("1.2.3", "\"1.2.3\""),
            (".inf", "\".inf\""),
            ("1e999", "\"1e999\""),
            ("-", "\"-\""),
            (".", "\".\""),
            ("0x", "\"0x\""),
            ("1e", "\"1e\""),
        ] {
            assert_eq!(json(text), expected, "{text}");
        }
    }
}
