//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

/// Settings of the `cors` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Origins whose pages may read answers, as browsers write them: `https://shop.example` or `https://shop.example:8443`,
    /// without a path. `null` has to be listed to be allowed. `*` as the only entry allows every origin but `null`.
    /// Empty: the filter does nothing.
    pub allow_origins: Vec<String>,
    /// Request headers that a page may set; case does not matter. Absent, or `*` as the only entry: all of them.
    pub allow_headers: Option<Vec<String>>,
    /// Methods that a page may use, among those declared on the path. Absent, or `*` as the only entry: all declared ones.
    pub allow_methods: Option<Vec<String>>,
    /// Whether a page may send cookies, client certificates and HTTP credentials. Not together with `*` as origin.
    pub allow_credentials: bool,
    /// Response headers that a page may read beyond those that every page may.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to a preflight. Absent: the browser's default, five seconds.
    pub max_age: Option<Interval>,
}
