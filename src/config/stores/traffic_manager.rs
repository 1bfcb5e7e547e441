//! `stores.traffic_manager`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Interval, Secret};

use crate::config::{
    Broker, KeyPair, Missed,
    load::{files, start_at},
};

/// WSO2's traffic manager, which counts the requests of several gateways together. The filter `throttle` tells it of each request that it
/// lets through, and obeys what it decides and whom it blocks. It decides after the fact: more requests pass than its limits allow, by as
/// many as come while an event and its decision are on their way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficManager {
    /// URL to which events are posted, such as `https://traffic-manager:9443/endpoints/throttleEventReceiver`.
    pub events: String,
    /// URL of its key templates, such as `https://traffic-manager:9443/internal/data/v1/keyTemplates`. They are fetched at the start and
    /// whenever the broker was away. Absent: only those are known that are published while the gateway runs.
    #[serde(default)]
    pub key_templates: Option<String>,
    /// URL of its blocks, such as `https://traffic-manager:9443/internal/data/v1/block`. The same holds.
    #[serde(default)]
    pub blocks: Option<String>,
    /// User name for the three URLs. Absent: none.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, as a reference.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates that the servers' must end in, PEM. Absent: those of `trust.ca`, or the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The broker on which it publishes what it decides.
    pub broker: TrafficBroker,
    /// Events that may wait to be posted. What comes beyond that is lost, as is what cannot be posted; `traffic_manager_events_lost_total`
    /// counts both. No request waits.
    #[serde(default = "queue")]
    pub queue: usize,
    /// How long posting an event, or fetching a list, may take.
    #[serde(default = "five_seconds")]
    pub timeout: Interval,
    /// How long after a failure a list is asked for again, 15 times in all. Until both were fetched, or that many tries failed, the gateway
    /// is not ready.
    #[serde(default = "fifteen_seconds")]
    pub retry: Interval,
}

/// A subscription to the topic of the traffic manager's decisions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrafficBroker {
    /// `SCHEME://HOST[:PORT][/VHOST]`; the scheme is the protocol: `stomp`, `stomp+tls` (STOMP 1.2), `amqp10`, `amqp10+tls`
    /// (AMQP 1.0), `amqp`, `amqps` (AMQP 0-9-1, which the reference product's own broker speaks).
    pub url: String,
    /// What to listen to. STOMP and AMQP 0-9-1: the topic's name. AMQP 1.0: the address as the broker spells it.
    #[serde(default = "topic")]
    pub topic: String,
    /// User name. Absent: none.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, as a reference.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates that the broker's must end in, PEM. Absent: the system's. Read at each connection.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate. Read at each connection.
    #[serde(default)]
    pub client_certificate: Option<KeyPair>,
    /// How often both sides say at least something, 1 s to 10 min. A broker that is silent for twice as long is given up.
    #[serde(default = "ten_seconds")]
    pub heartbeat: Interval,
}

fn queue() -> usize {
    10_000
}

fn topic() -> String {
    "throttleData".to_owned()
}

fn five_seconds() -> Interval {
    Interval::seconds(5)
}

fn ten_seconds() -> Interval {
    Interval::seconds(10)
}

fn fifteen_seconds() -> Interval {
    Interval::seconds(15)
}

impl TrafficManager {
    /// Relative paths start at the configuration's folder.
    pub(super) fn resolve(&mut self, base: &Path) {
        let Self { ca, broker, events: _, key_templates: _, blocks: _, username: _, password: _, queue: _, timeout: _, retry: _ } = self;
        let TrafficBroker { ca: brokers_ca, client_certificate, url: _, topic: _, username: _, password: _, heartbeat: _ } = broker;
        start_at(base, files(client_certificate).chain(brokers_ca).chain(ca));
    }
}

impl From<TrafficBroker> for Broker {
    /// A subscription that keeps nothing: decisions pass soon, and lists are fetched anew.
    fn from(broker: TrafficBroker) -> Self {
        let TrafficBroker { url, topic, username, password, ca, client_certificate, heartbeat } = broker;
        Self { url, topic, username, password, ca, client_certificate, heartbeat, subscription: None, missed: Missed::Nothing }
    }
}
