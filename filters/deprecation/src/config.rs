//! What is written in YAML, and what the definition declares.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `deprecation` filter. What stands here takes the place of what the definition declares.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// When the operation was deprecated, or will be: a date such as `2026-01-31`, which is midnight UTC, or a date and a time with an
    /// offset.
    pub deprecated_at: Option<String>,
    /// When the operation ends, written in the same way.
    pub sunset: Option<String>,
    /// The URL of a page about it.
    pub link: Option<String>,
}
