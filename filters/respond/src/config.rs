//! What is written in YAML.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `respond` filter. Without a status it does nothing.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The status of the answer, 200 to 599.
    pub status: Option<u16>,
    /// Fields of the answer, besides those that the gateway writes.
    pub headers: BTreeMap<String, String>,
    /// The body, at most 64 KiB. `headers` says what it is: `content-type: application/json`.
    pub body: String,
}
