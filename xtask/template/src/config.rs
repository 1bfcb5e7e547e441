//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `__name__` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Header that every request must carry.
    pub header: String,
}
