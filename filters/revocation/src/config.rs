//! What is written in YAML.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::Interval;

/// Settings of the `revocation` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long ago the list may last have been known to be complete. A list that only the admin port fills always is.
    pub max_age: Interval,
    /// What happens to requests when the list is older than that.
    pub stale: Stale,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_age: Interval(Duration::from_secs(900)), stale: Stale::Closed }
    }
}

/// What happens when nobody knows whether the list is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// Answer 503.
    #[default]
    Closed,
    /// Go on with what is known.
    Open,
}
