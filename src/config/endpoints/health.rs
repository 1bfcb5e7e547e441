//! How it is found out how endpoints do.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

use super::{Percent, StatusRange};

/// When an endpoint takes no requests for a while because of what came of others. It holds for groups with several endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eject {
    /// After so many failures in a row. 0: not because of that.
    pub consecutive: u32,
    /// When so many percent of the requests of `window` failed. 0: not because of that.
    pub rate: Percent,
    /// How many requests `window` must have for `rate` to count.
    pub requests: u32,
    /// The time that `rate` looks back.
    pub window: Interval,
    /// Statuses that are failures, beside connections that break and answers that do not come.
    pub statuses: Vec<StatusRange>,
    /// How long it takes no requests the first time; each further time twice as long.
    pub time: Interval,
    /// How long at most. Who did well for so long begins anew.
    pub longest: Interval,
    /// Percent of a group that may be out because of this at the same time.
    pub share: Percent,
}

impl Default for Eject {
    fn default() -> Self {
        Self {
            consecutive: 5,
            rate: Percent(0),
            requests: 20,
            window: Interval::seconds(10),
            statuses: vec![StatusRange(502..=504)],
            time: Interval::seconds(10),
            longest: Interval::seconds(300),
            share: Percent(50),
        }
    }
}

/// How each endpoint of a group is checked, whether or not there are requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What is asked.
    pub probe: Probe,
    /// Time between two checks of an endpoint, 100 ms at least; a tenth more or less by chance.
    #[serde(default = "interval")]
    pub interval: Interval,
    /// Longest time for a check, connecting included.
    #[serde(default = "timeout")]
    pub timeout: Interval,
    /// So many checks in a row that succeed make an endpoint well.
    #[serde(default = "twice")]
    pub healthy: u32,
    /// So many checks in a row that fail make it ill; the very first one does so alone.
    #[serde(default = "thrice")]
    pub unhealthy: u32,
}

fn interval() -> Interval {
    Interval::seconds(5)
}

fn timeout() -> Interval {
    Interval::seconds(2)
}

fn twice() -> u32 {
    2
}

fn thrice() -> u32 {
    3
}

/// What a check asks. TLS and certificates are those of requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// A connection, with its TLS handshake.
    Tcp,
    /// A GET.
    Http(HttpCheck),
    /// `grpc.health.v1.Health/Check`, over HTTP/2.
    Grpc(GrpcCheck),
}

/// A check by a GET.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// What is asked for, from the root of the server on.
    pub path: String,
    /// `Host`. Absent: the endpoint's.
    #[serde(default)]
    pub host: Option<String>,
    /// Statuses that are well.
    #[serde(default = "successes")]
    pub statuses: Vec<StatusRange>,
    /// What the first 64 KiB of the body must contain.
    #[serde(default)]
    pub body: Option<String>,
}

fn successes() -> Vec<StatusRange> {
    vec![StatusRange(200..=299)]
}

/// A check by gRPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcCheck {
    /// The service that must be `SERVING`. Absent: the server as a whole.
    pub service: String,
}
