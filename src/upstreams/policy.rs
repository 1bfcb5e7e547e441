//! How a group is balanced and guarded: its settings, once they are judged.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use tollgate_filter_api::Carrier;

use crate::config::Check;

/// How the endpoints of a group share its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other; by weight, each as often as its share.
    RoundRobin,
    /// Of two drawn by weight, the one with fewer requests in progress.
    LeastRequests,
    /// Of two drawn by weight, the one that is likely to answer sooner.
    Ewma,
    /// The same endpoint for the same key, as long as it is ready.
    Hash,
    /// The last one that did well.
    Failover,
}

impl Strategy {
    /// As settings spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::LeastRequests => "least_requests",
            Self::Ewma => "ewma",
            Self::Hash => "hash",
            Self::Failover => "failover",
        }
    }
}

/// What a request is assigned to an endpoint by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A field or a cookie of the request.
    Carried(Carrier),
    /// A claim of the verified credential.
    Claim(String),
    /// The client's address.
    Address,
}

/// A cookie that keeps a client with its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: String,
    /// The same, as a place in a request.
    pub carrier: Carrier,
    /// How long the client keeps it; `None`: until the browser ends.
    pub keep: Option<Duration>,
}

/// How a group is balanced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// How the endpoints that are ready share the requests.
    pub strategy: Strategy,
    /// What a request is assigned by, for [`Strategy::Hash`].
    pub key: Option<Key>,
    /// A cookie that comes before the strategy.
    pub sticky: Option<Sticky>,
    /// Where the gateway stands.
    pub zone: Option<Arc<str>>,
    /// Percent of a priority, or of the own zone in it, that must be ready for it to do without the next.
    pub min_ready: u8,
    /// When fewer than so many percent are ready, all count as ready.
    pub panic: u8,
    /// How long an endpoint that is new, or is back, has less than its share; zero for no time.
    pub slow_start: Duration,
}

impl Balancing {
    /// With a strategy, and nothing else.
    pub fn new(strategy: Strategy) -> Self {
        Self { strategy, key: None, sticky: None, zone: None, min_ready: 50, panic: 0, slow_start: Duration::ZERO }
    }

    /// Whether it matters who asks.
    pub fn is_personal(&self) -> bool {
        self.key.is_some() || self.sticky.is_some()
    }

    /// Whether requests in progress are counted.
    pub fn counts_requests(&self) -> bool {
        matches!(self.strategy, Strategy::LeastRequests | Strategy::Ewma)
    }
}

/// When an endpoint takes no requests for a while because of what came of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// After so many failures in a row; 0 for never.
    pub consecutive: u32,
    /// When more than so many percent of the requests of the window fail; 0 for never.
    pub rate: u8,
    /// How many requests the window must have for that.
    pub requests: u32,
    /// The window.
    pub window: Duration,
    /// Statuses that are failures.
    pub statuses: Statuses,
    /// How long the first time; each further time twice as long.
    pub base: Duration,
    /// How long at most.
    pub most: Duration,
    /// Percent of a group that may be out at the same time because of this.
    pub share: u8,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            consecutive: 5,
            rate: 0,
            requests: 20,
            window: Duration::from_secs(10),
            statuses: Statuses(vec![502..=504]),
            base: Duration::from_secs(10),
            most: Duration::from_secs(300),
            share: 50,
        }
    }
}

/// A set of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(pub Vec<RangeInclusive<u16>>);

impl Statuses {
    /// Whether it has this one.
    pub fn has(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// When an endpoint is not asked at all, as the reference product has it.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// The rolling window.
    pub window: Duration,
    /// What it rolls by.
    pub bucket: Duration,
    /// How many requests the window must have.
    pub requests: u32,
    /// Opens when a greater share of them failed.
    pub threshold: f64,
    /// How long after the last failure one request tries it.
    pub reset: Duration,
    /// Statuses that are failures, beside broken connections.
    pub statuses: Statuses,
}

/// What may be tried again, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// Further attempts.
    pub count: u32,
    /// Statuses after which there is one.
    pub statuses: Statuses,
    /// The pause before the first.
    pub interval: Duration,
    /// What the pause is multiplied by from then on.
    pub factor: f64,
    /// The longest pause.
    pub most: Duration,
    /// Percent of the requests that may be tried again, beside ten a second; `None` for all.
    pub budget: Option<u8>,
}

/// What may be in progress at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Requests in progress at one endpoint.
    pub requests: u32,
    /// Requests of the group that may wait for that.
    pub pending: u32,
    /// For how long.
    pub wait: Duration,
}

/// How a group is balanced and guarded.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Who gets a request.
    pub balancing: Balancing,
    /// Who gets none for a while.
    pub ejection: Option<Ejection>,
    /// Who is not asked at all.
    pub breaker: Option<CircuitBreaker>,
    /// What is tried again.
    pub retries: Option<Retries>,
    /// How many may be in progress.
    pub capacity: Option<Capacity>,
    /// How endpoints are checked beside requests.
    pub check: Option<Check>,
}

impl Policy {
    /// With a strategy, and what holds where nothing is said.
    pub fn new(strategy: Strategy) -> Self {
        Self {
            balancing: Balancing::new(strategy),
            ejection: Some(Ejection::default()),
            breaker: None,
            retries: None,
            capacity: None,
            check: None,
        }
    }

    /// Whether requests in progress are counted.
    pub fn counts_requests(&self) -> bool {
        self.balancing.counts_requests() || self.capacity.is_some()
    }
}
