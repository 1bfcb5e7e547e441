//! How the endpoints of a group share its requests.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

use super::Percent;

/// How the endpoints of a group share its requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Balance {
    /// Who gets a request. Absent: as the definition says, `round_robin` or `failover`.
    pub strategy: Option<BalanceStrategy>,
    /// What `strategy: hash` assigns a request by. One that has none of it gets the endpoint whose turn it is.
    pub key: Option<BalanceKey>,
    /// A cookie that keeps a client with its endpoint as long as that is ready, or has weight 0. It comes before the strategy.
    pub sticky: Option<StickyCookie>,
    /// Percent of the endpoints of a priority that must be ready for it to do without those of the next; and of those in the gateway's own
    /// zone (`upstream.zone`) to do without the other zones.
    pub min_ready: Percent,
    /// When fewer than so many percent of all endpoints are ready, all of them take requests: a check that is wrong must not take all of
    /// them out. When none is ready, all of them do in any case.
    pub panic: Percent,
    /// How long an endpoint that is new or is back has less than its share, which grows from a tenth. `0s`: no time.
    pub slow_start: Interval,
}

impl Default for Balance {
    fn default() -> Self {
        Self { strategy: None, key: None, sticky: None, min_ready: Percent(50), panic: Percent(0), slow_start: Interval::seconds(0) }
    }
}

/// Who gets a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalanceStrategy {
    /// One after the other, each as often as its weight says.
    RoundRobin,
    /// Of two that are drawn by weight, the one with fewer requests in progress.
    LeastRequests,
    /// Of two that are drawn by weight, the one that is likely to answer sooner, by a peak EWMA of the time to the head of its answers and its
    /// requests in progress.
    Ewma,
    /// The same one for the same `key`, by ketama. When an endpoint goes, only its keys move; all gateways assign alike.
    Hash,
    /// The one that did well last; after a failure to connect, or 501 to 504, the next one, and from then on that.
    Failover,
}

/// What a request is assigned by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BalanceKey {
    /// A field of the request.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A claim of the verified credential, if it is a text.
    Claim(String),
    /// The client's address.
    Address,
}

/// A cookie that keeps a client with its endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StickyCookie {
    /// Its name. Its value is a digest of the endpoint's URL, the same in all gateways.
    pub cookie: String,
    /// How long the client keeps it. Absent: until the browser ends.
    #[serde(default)]
    pub keep: Option<Interval>,
}
