//! What is written in YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

/// Settings of the `api_key` filter. At least one kind of key must be there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the key is, when no security scheme of the definition says so.
    #[serde(rename = "in")]
    pub place: Place,
    /// The header's, parameter's or cookie's name, when no security scheme of the definition says so.
    pub name: String,
    /// Keys that are known here, by their digests.
    pub keys: Vec<StoredKey>,
    /// Keys that an issuer signed.
    pub signed: Option<Signed>,
    /// Whether the key goes to the upstream.
    pub forward: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { place: Place::Header, name: "apikey".to_owned(), keys: Vec::new(), signed: None, forward: false }
    }
}

/// Where the definition's security scheme says that the key is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// Where.
    #[serde(rename = "in")]
    pub place: Option<Place>,
    /// Under which name.
    pub name: Option<String>,
}

/// Where a key is in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A header.
    Header,
    /// A parameter of the query. It ends up in logs and histories on its way.
    Query,
    /// A cookie.
    Cookie,
}

/// A key, as `tollgate key new` prints it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredKey {
    /// What the key is called, in logs and when it is revoked.
    pub id: String,
    /// SHA-256 of the key, 64 hexadecimal digits. A key of 256 random bits cannot be guessed from it; one that people chose can.
    pub sha256: String,
    /// Whose it is. Absent: its `id`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The APIs it is for: `TITLE`, `TITLE:VERSION`, or `*` for all.
    pub apis: Vec<String>,
    /// What its owner was granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether it is for the sandbox endpoints.
    #[serde(default)]
    pub sandbox: bool,
    /// When it ends, in seconds since 1970. Absent: never.
    #[serde(default)]
    pub expires: Option<u64>,
}

/// Keys that are JWTs, as the reference product and `tollgate key issue` make them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// `iss`, equal byte for byte.
    pub issuer: String,
    /// A PEM file with the certificates or public keys that verify them. Read at start and at a reload.
    pub certificate: PathBuf,
    /// Accept keys that name no API, for every API; the reference product does unless it is told otherwise.
    #[serde(default)]
    pub any_api: bool,
    /// How far clocks may be apart.
    #[serde(default = "one_minute")]
    pub clock_skew: Interval,
    /// Compatibility: also accept base64url with `=` at the end.
    #[serde(default)]
    pub padded: bool,
}

fn one_minute() -> Interval {
    Interval::seconds(60)
}
