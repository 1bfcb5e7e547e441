//! Percentages and statuses.

use std::{borrow::Cow, ops::RangeInclusive};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// A whole number from 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percent(pub u8);

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Value::deserialize(deserializer)?;
        let percent = found.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|percent| *percent <= 100);
        percent.map(Self).ok_or_else(|| de::Error::custom(format_args!("expected a whole number from 0 to 100, found {found}")))
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 100 })
    }
}

/// A status, such as 503, or a range of them, such as `500-599`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRange(pub RangeInclusive<u16>);

impl StatusRange {
    /// One status.
    pub fn one(status: u16) -> Self {
        Self(status..=status)
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    (first <= last).then_some(first..=last)
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Value::deserialize(deserializer)?;
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        range(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format_args!("expected a status from 100 to 599, or a range such as \"500-599\", found {found}"))
        })
    }
}

impl JsonSchema for StatusRange {
    fn schema_name() -> Cow<'static, str> {
        "StatusRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$" },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn statuses_are_numbers_or_ranges() {
        let read = |value| from_value::<StatusRange>(value).map(|range| range.0).ok();
        assert_eq!(read(json!(503)), Some(503..=503));
        assert_eq!(read(json!("500-599")), Some(500..=599));
        for wrong in [json!("599-500"), json!(99), json!(600), json!("5xx"), json!(503.5), json!(null), json!("500-599-1")] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn percentages_end_at_a_hundred() {
        let read = |value| from_value::<Percent>(value).map(|percent| percent.0).ok();
        assert_eq!(
            [read(json!(0)), read(json!(100)), read(json!(101)), read(json!(-1)), read(json!("5"))],
            [Some(0), Some(100), None, None, None]
        );
    }
}
