//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `rewrite` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The first whose pattern matches the path decides. Where none does, the path stays.
    pub rules: Vec<Rule>,
    /// What becomes of the upstream's answers.
    pub back: Back,
}

/// A pattern, and what takes the place of a path that matches it. One of `prefix`, `path` and `regex` stands in each.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Whole segments at the beginning: `/old` matches `/old` and `/old/a`, not `/older`.
    pub prefix: Option<String>,
    /// A whole path: `/users/{name}/photos/*`. A name in braces is one segment; `*` at the end is all that is left, or nothing.
    pub path: Option<String>,
    /// A regular expression, looked for anywhere in the path: `^/item/([0-9]+)$`.
    pub regex: Option<String>,
    /// What takes the place: for `prefix`, of that; for the others, of the whole path. What `path` found stands for `{name}` and `*`, what
    /// `regex` found for `$1` or `${name}`. May have a query behind a `?`, but for `prefix`.
    pub to: String,
    /// Leaves out the client's query. It otherwise stays, behind that of `to`.
    #[serde(default)]
    pub drop_query: bool,
}

/// What becomes of the upstream's answers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Back {
    /// Hosts that the upstream calls itself, with the port if it is not the usual one: `app.internal:8080`. What `Location`,
    /// `Content-Location` and `Refresh` say of them becomes a path of the host that the client asked for.
    pub hosts: Vec<String>,
    /// Beginnings of paths in those fields. The first that matches counts.
    pub paths: Vec<Prefix>,
    /// Domains of cookies.
    pub cookie_domains: Vec<Domain>,
    /// Beginnings of paths of cookies. The first that matches counts.
    pub cookie_paths: Vec<Prefix>,
}

/// Whole segments at the beginning of a path, and what takes their place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    /// What the upstream says: `/app`.
    pub from: String,
    /// What the client is told: `/shop`.
    pub to: String,
}

/// A domain of cookies, and what takes its place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// What the upstream says: `app.internal`.
    pub from: String,
    /// What the client is told. None: no domain, so that the cookie is for the host alone that the client asked for.
    pub to: Option<String>,
}
