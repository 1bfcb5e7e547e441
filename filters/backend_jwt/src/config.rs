//! What is written in YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::Interval;
use tollgate_jose::Algorithm;

/// Settings of the `backend_jwt` filter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// File with the private key to sign with, PEM without a passphrase. Upstreams trust whoever has it: use it for nothing else.
    pub key: PathBuf,
    /// Name of the key in the token's header, for upstreams that know several.
    #[serde(default)]
    pub kid: Option<String>,
    /// Algorithm to sign with. Default: RS256, ES256, ES384, ES512 or EdDSA, as the key is.
    #[serde(default)]
    pub algorithm: Option<Algorithm>,
    /// `iss` of the token.
    pub issuer: String,
    /// `aud` of the token, which upstreams should demand.
    pub audience: String,
    /// The header that carries the token. Clients cannot send it.
    #[serde(default = "header")]
    pub header: String,
    /// What is put before the names of claims that say something of application and API.
    #[serde(default = "dialect")]
    pub dialect: String,
    /// How long a token is good; never longer than the caller's own.
    #[serde(default = "lifetime")]
    pub lifetime: Interval,
    /// Claims of the caller's token that are not passed on. Those that name or bound that token never are.
    #[serde(default)]
    pub restricted_claims: Vec<String>,
    /// Most tokens kept for callers that come again, about 2 KiB each; 0 signs for every request.
    #[serde(default = "cache_entries")]
    pub cache_entries: usize,
}

fn header() -> String {
    "x-jwt-assertion".to_owned()
}

fn dialect() -> String {
    "http://wso2.org/claims".to_owned()
}

fn lifetime() -> Interval {
    Interval::seconds(300)
}

fn cache_entries() -> usize {
    10_000
}
