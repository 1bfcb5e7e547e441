//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

/// Settings of the `redirect` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Sends whoever comes without TLS to the same host, path and query over TLS. Others pass.
    pub https: bool,
    /// The port of `https`; none: 443, which is not written.
    pub port: Option<u16>,
    /// Sends everybody to this URL, `https://shop.example/new${request.rest}${request.search}`, or to a path of the same host.
    pub to: Option<String>,
    /// 301, 302, 303, 307 or 308; none: 308. With 307 and 308 the client sends method and body again, with 303 it asks with GET.
    pub status: Option<u16>,
    /// Hosts that clients may be sent to by what they ask for: `shop.example`, or `*.shop.example` for every name below it. `"*"` is
    /// any. Needed for `https`, and for a `to` with `${request.host}` behind its scheme.
    pub hosts: Vec<String>,
    /// Has browsers come over TLS from then on (RFC 6797). Said in answers over TLS only.
    pub hsts: Option<Hsts>,
}

/// What `Strict-Transport-Security` says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hsts {
    /// For how long from each answer on: `365d`. `0s` takes back what was said.
    pub max_age: Interval,
    /// For all names below this host too.
    #[serde(default)]
    pub include_subdomains: bool,
    /// Agrees to stand in the lists that browsers are built with. Hard to take back.
    #[serde(default)]
    pub preload: bool,
}
