//! Endpoints beside those of a group: a canary that takes a part of its requests, and a mirror that gets copies.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{ByteSize, Interval};

use super::{EndpointTarget, Percent};

/// Endpoints that take a part of a group's requests, such as those of a new version. The settings of the group hold for them, and they are
/// balanced, checked and ejected among themselves. While none of them is ready, the group's own endpoints take all requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Canary {
    /// Endpoints for requests with production keys, or without a key.
    pub production: Vec<EndpointTarget>,
    /// Endpoints for requests with sandbox keys.
    pub sandbox: Vec<EndpointTarget>,
    /// How many percent of the requests they take. Where the group has a `key` to assign requests by, the same keys go there.
    pub percent: Percent,
    /// A field of requests that decides alone.
    pub header: Option<CanaryHeader>,
}

/// A field of requests that decides whether they go to the canary.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryHeader {
    /// Its name.
    pub name: String,
    /// The value with which a request goes there.
    #[serde(default = "always")]
    pub always: String,
    /// The value with which it does not.
    #[serde(default = "never")]
    pub never: String,
}

fn always() -> String {
    "always".to_owned()
}

fn never() -> String {
    "never".to_owned()
}

impl CanaryHeader {
    /// Its name, if it is one.
    pub fn field(&self) -> Option<HeaderName> {
        HeaderName::from_bytes(self.name.as_bytes()).ok()
    }
}

/// Endpoints that get copies of requests, with everything that goes upstream, credentials included. What they answer is read and dropped; no
/// request waits for them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mirror {
    /// Endpoints for requests with production keys, or without a key.
    pub production: Vec<EndpointTarget>,
    /// Endpoints for requests with sandbox keys.
    pub sandbox: Vec<EndpointTarget>,
    /// How many percent of the requests are copied.
    pub percent: Percent,
    /// Most copies in progress; while there are as many, no further one is made.
    pub pending: u32,
    /// Longest time for a copy, from its sending to the end of its answer.
    pub timeout: Interval,
    /// Requests with a longer body are not copied.
    pub body: ByteSize,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            production: Vec::new(),
            sandbox: Vec::new(),
            percent: Percent(100),
            pending: 100,
            timeout: Interval::seconds(5),
            body: ByteSize(64 << 10),
        }
    }
}
