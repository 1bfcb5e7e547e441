//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `address` filter. Without a network it does nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Networks and addresses that may call: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`. When there is one, nobody else may.
    pub allow: Vec<String>,
    /// Networks and addresses that may not.
    pub deny: Vec<String>,
}
