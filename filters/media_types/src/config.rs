//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `media_types` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Media types that a request's body may have, filled in by the gateway with those that the definition declares. Ranges such as
    /// `image/*` are allowed. Empty: any.
    pub consumes: Vec<String>,
    /// Media types of the answers, one of which the client must accept; filled in like `consumes`. Empty: `Accept` is not looked at.
    pub produces: Vec<String>,
}
