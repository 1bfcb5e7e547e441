//! What is written in YAML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::{Interval, Secret};

/// Settings of the `cookie` filter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What sessions are sealed with: random texts of at least 32 characters. The first seals, every one opens: a new key is put in
    /// front, and the old one goes when `max_age` is over. Gateways that share their callers share the keys.
    pub keys: Vec<Secret>,
    /// Name of the cookie that holds the session. It begins with `__Host-`, so that no other host can set or see it.
    pub name: String,
    /// Name of the cookie in which a page of this host reads its CSRF token. It begins with `__Host-` too.
    pub csrf_cookie: String,
    /// Header in which a page shows its CSRF token, and in which the answer that issues a session tells it.
    pub csrf_header: String,
    /// Whether a browser sends the cookies when another site links here (`lax`), or never for another site (`strict`).
    pub same_site: SameSite,
    /// How long a session is good; never longer than its token.
    pub max_age: Interval,
    /// Origins of pages that may use a session, besides the gateway's own: `https://app.example.com`, with the port where it is not
    /// the usual one. Browsers that run such pages must be told by `cors` too.
    pub origins: Vec<String>,
    /// Header that carries the token: where it is taken from when a session is issued, and where later filters find it.
    pub header: String,
    /// Whether an answer of 2xx to a request with a bearer token issues a session. For one operation: `x-tollgate-cookie: {issue: true}`.
    pub issue: bool,
    /// Whether the operation ends the session. For one operation: `x-tollgate-cookie: {clear: true}`.
    pub clear: bool,
    /// The reference product's single session: a request with a cookie of this value, whatever its name, counts as one with this value as its
    /// bearer token. There is no CSRF token then; the page's origin is checked all the same.
    pub fixed_session: Option<Secret>,
}

/// When a browser sends the cookies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SameSite {
    /// Only for pages of the same site.
    #[default]
    Strict,
    /// Also when another site links here.
    Lax,
}

impl SameSite {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            name: "__Host-session".to_owned(),
            csrf_cookie: "__Host-csrf".to_owned(),
            csrf_header: "x-csrf-token".to_owned(),
            same_site: SameSite::Strict,
            max_age: Interval::seconds(8 * 3600),
            origins: Vec::new(),
            header: "authorization".to_owned(),
            issue: false,
            clear: false,
            fixed_session: None,
        }
    }
}
