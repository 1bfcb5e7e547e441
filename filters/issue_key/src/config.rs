//! What is written in YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

/// Settings of the `issue_key` filter. It issues only where an operation says `x-tollgate-issue_key: { here: true }`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether keys are issued by this operation.
    pub here: bool,
    /// `iss` of the keys, as `api_key` expects it in `signed.issuer`.
    pub issuer: String,
    /// File with the private key to sign with, PEM without a passphrase. Read at start and at a reload. Use it for nothing else.
    pub key: PathBuf,
    /// `kid` of the keys' header.
    pub kid: Option<String>,
    /// The APIs that keys are for.
    pub apis: Vec<Api>,
    /// How long a key is valid at most, and when the caller asks for nothing else. Absent: for ever.
    pub valid: Option<Interval>,
    /// Issue keys over connections that are not encrypted, too: whoever is on the way has them then.
    pub plain_http: bool,
}

/// An API that keys are for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// Its title.
    pub name: String,
    /// Its version, or `*`.
    #[serde(default = "every")]
    pub version: String,
}

fn every() -> String {
    "*".to_owned()
}
