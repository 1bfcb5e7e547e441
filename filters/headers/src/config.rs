//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_changes::heads::Changes;

/// Settings of the `headers` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Changes to the request, seen by later filters and by the upstream.
    pub request: Changes,
    /// Changes to the response, the upstream's or one that the gateway made.
    pub response: Changes,
}
