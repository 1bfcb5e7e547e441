//! How strictly the definitions' word on callers is taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How what definitions ask of callers is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// What a list of security requirements means.
    pub requirements: Requirements,
}

/// What a list of security requirements means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Requirements {
    /// One requirement is enough, and all that it names is needed, as OpenAPI says.
    #[default]
    Exact,
    /// Each scheme that is named anywhere is enough by itself, as the reference product has it. A client certificate that is asked
    /// for beside another credential stays needed, and a token or user of whom no scope is asked needs those asked of the others:
    /// set `scopes: any` of `authorize` with it.
    Any,
}
