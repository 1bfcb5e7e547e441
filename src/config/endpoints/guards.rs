//! What may be tried again, when an endpoint is not asked, and how much may be in progress.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Interval;

use super::{Percent, StatusRange};

/// What is tried again. An endpoint that cannot be connected to is not counted: nothing was sent, and the next one is asked at once. A request
/// of which something was sent is tried again only when its method is idempotent (RFC 9110 §9.2.2) and its body is at most 64 KiB.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Further attempts of a request, 0 to 10. They go to endpoints that were not tried, and then to the same ones again.
    pub count: u32,
    /// Statuses after which there is one, beside connections that break and answers that do not come. An answer with `Retry-After` is passed
    /// on when that is longer than `longest` and no other endpoint is there.
    pub statuses: Vec<StatusRange>,
    /// The pause before the first.
    pub interval: Interval,
    /// What the pause is multiplied by from then on, 1 to 10.
    pub factor: f64,
    /// The longest pause; no shorter than `interval`.
    pub longest: Interval,
    /// Percent of the group's requests that may be tried again, beside ten a second: an upstream that fails for everybody must not be asked
    /// many times as often.
    pub budget: Percent,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            count: 1,
            statuses: Vec::new(),
            interval: Interval(std::time::Duration::from_millis(25)),
            factor: 2.0,
            longest: Interval(std::time::Duration::from_millis(250)),
            budget: Percent(20),
        }
    }
}

/// When an endpoint is not asked at all, even when it is the only one. Requests that find every circuit breaker open get
/// `upstream.circuit_open` at once.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CircuitBreaker {
    /// The time that is looked back.
    pub window: Interval,
    /// What `window` moves on by; shorter than it.
    pub bucket: Interval,
    /// How many requests `window` must have.
    pub requests: u32,
    /// It opens when more than this part of them failed: 0.5 stands for half. Less than 1.
    pub threshold: f64,
    /// How long after the last failure one request tries it. Success closes the circuit breaker, failure opens it again.
    pub reset: Interval,
    /// Statuses that are failures, beside connections that cannot be made or break, and answers that do not come.
    pub statuses: Vec<StatusRange>,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            window: Interval::seconds(60),
            bucket: Interval::seconds(10),
            requests: 10,
            threshold: 0.5,
            reset: Interval::seconds(10),
            statuses: vec![StatusRange(500..=599)],
        }
    }
}

/// How many requests may be in progress.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Requests in progress at one endpoint; over HTTP/1.1 as many connections. One that has as many is passed over.
    pub requests: u32,
    /// Requests of the group that may wait when every endpoint has as many. Further ones get `upstream.full` at once.
    #[serde(default)]
    pub pending: u32,
    /// How long they wait.
    #[serde(default = "second")]
    pub wait: Interval,
}

fn second() -> Interval {
    Interval::seconds(1)
}
