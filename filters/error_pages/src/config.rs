//! What is written in YAML.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `error_pages` filter. Without a page it does nothing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bodies by status: `404`, all of `4xx` or `5xx`, or `default` for those that are not listed. Of several bodies the client gets the one that it
    /// accepts best, of equals the first.
    pub pages: BTreeMap<String, Vec<Body>>,
    /// Whether the upstream's answers get them too. Operations with such pages pay for it with every request.
    pub upstream: bool,
}

/// A body. One of `text` and `file` stands in each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Its media type, as the client is told: `text/html; charset=utf-8`.
    #[serde(rename = "type")]
    pub media_type: String,
    /// The body itself.
    pub text: Option<String>,
    /// The file with the body, which is read when the configuration is; at most 256 KiB. Relative to the folder of `gateway.yaml`.
    pub file: Option<PathBuf>,
}
