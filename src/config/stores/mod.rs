//! `stores:`: what the gateway keeps, and where it looks things up.

mod discovery;
mod redis;
mod traffic_manager;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::{Interval, Secret};

use super::{
    KeyPair,
    load::{files, start_at},
};

pub use discovery::DiscoveryStore;
pub use redis::{Redis, Sentinel};
pub use traffic_manager::{TrafficBroker, TrafficManager};

/// What the gateway keeps, and where it looks things up. A reload takes new settings of a source, but can add or remove none, except `discovery`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stores {
    /// The list of what was revoked.
    pub revocations: RevocationList,
    /// A message broker that says what is revoked.
    pub broker: Option<Broker>,
    /// An etcd whose keys are what is revoked.
    pub etcd: Option<Etcd>,
    /// Who says where upstreams are while the gateway runs: name servers, and an etcd 3.4 or later. Its keys are those that definitions name
    /// with `etcd(KEY, URL)`, and those of `endpoints.NAME.discovery`. A value is a URL, or a JSON object with `url` and, if need be, `weight`
    /// (0 to 1000, else 1; 0 takes no new requests), `zone` and `priority` (0 to 255, else 0). Any other value is logged and counted, and
    /// the key's last good one stays. A change is in force within 100 ms. While etcd is away, the last good endpoints serve or, if there never
    /// were any, those of this file or the definition. Absent, or without `endpoints`: the variables `etcdurl` (URLs, with commas between
    /// them), `etcdusername` and `etcdpassword` stand for `endpoints`, `username` and `password`. Without them too, `etcd(KEY, URL)` is
    /// its URL. All of this may begin and end with a reload.
    pub discovery: Option<DiscoveryStore>,
    /// A Redis in which gateways keep quotas together.
    pub redis: Option<Redis>,
    /// The counters of the filter `throttle`.
    pub counters: Counters,
    /// File that keeps what the admin port's `/blocks` took, so that a restart knows it: a JSON array of blocks, in the form that `blocks` of
    /// the filter `throttle` has. It may be edited while the gateway runs. Absent: the port takes nothing.
    pub blocks: Option<PathBuf>,
    /// WSO2's traffic manager, which decides for the filter `throttle` of several gateways.
    pub traffic_manager: Option<TrafficManager>,
}

/// The counters of the filter `throttle`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Counters {
    /// Most counters; one takes about 45 bytes of memory. When so many are in use, a request that needs another one for something that its
    /// client chooses, such as its address, is refused with 503.
    pub max_keys: usize,
    /// File that keeps the counters of a day and more, so that a restart knows them. It is written every 10 seconds and at the end. Absent:
    /// they begin anew with each process.
    pub file: Option<PathBuf>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { max_keys: tollgate_counters::DEFAULT_MAX_KEYS, file: None }
    }
}

/// The list of what was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationList {
    /// File that keeps what the admin port's `/revocations` took, and what the broker said, so that a restart knows it. Absent:
    /// the port takes nothing, and what the broker said is forgotten at the end of the process.
    pub journal: Option<PathBuf>,
    /// Most entries; one takes about 26 bytes of memory. What goes beyond is refused and shown, never dropped in silence.
    pub max_entries: usize,
    /// How long after its start the gateway waits for the broker and etcd to say what they held. Until then it is not ready, and the
    /// filter `revocation` answers 503. Afterwards they count as away, and `max_age` and `stale` of the filter decide.
    pub catch_up: Interval,
}

impl Default for RevocationList {
    fn default() -> Self {
        Self { journal: None, max_entries: 10_000_000, catch_up: Interval::seconds(30) }
    }
}

/// A subscription to a topic on which revocations are published, as a MapMessage or TextMessage of the reference product, or with the
/// members that `/revocations` of the admin port takes. What names a token with a `ttl` and no `expiryTime` counts for a day at least: the
/// reference product's `ttl` is a setting of its publisher.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `SCHEME://HOST[:PORT][/VHOST]`; the scheme is the protocol: `stomp`, `stomp+tls` (STOMP 1.2), `amqp10`, `amqp10+tls`
    /// (AMQP 1.0), `amqp`, `amqps` (AMQP 0-9-1).
    pub url: String,
    /// What to listen to. STOMP and AMQP 0-9-1: the topic's name. AMQP 1.0: the address as the broker spells it.
    pub topic: String,
    /// Name of a durable subscription, for which the broker keeps messages while the gateway is away. Each gateway needs its own.
    /// Without it, or without `revocations.journal`, something may be missed, and the list does not count as complete: see `missed`.
    #[serde(default)]
    pub subscription: Option<String>,
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
    /// What makes up for what was published while nobody listened. Matters where something can be missed.
    #[serde(default)]
    pub missed: Missed,
}

/// What makes up for messages that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing: the list is as old as the gap, and the filter `revocation` does with it what its `stale` says.
    #[default]
    Nothing,
    /// etcd, which holds everything that is published: a gap is closed when etcd was read whole after it.
    Etcd,
}

/// Keys of etcd 3.4 or later, each of which revokes something as long as it is there. The last segment of a key names a token
/// (`jti`, signature, or as it is sent) while its value is empty, `true` or a time to live; a value that is a JSON object says what is
/// revoked, as `/revocations` of the admin port takes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Etcd {
    /// URLs of the members, `http://HOST[:PORT]` or `https://HOST[:PORT]`, port 2379. After a failure the next one is tried.
    pub endpoints: Vec<String>,
    /// User name. Absent: none.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, as a reference.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates that the members' must end in, PEM. Absent: the system's.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate.
    #[serde(default)]
    pub client_certificate: Option<KeyPair>,
    /// What the keys begin with.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How often everything is read again and compared. Differences are mended, counted and logged.
    #[serde(default = "ten_minutes")]
    pub relist: Interval,
    /// How often etcd is asked whether everything was told, which says how old the list is. After three times this without a word
    /// the connection is given up.
    #[serde(default = "five_seconds")]
    pub heartbeat: Interval,
}

fn prefix() -> String {
    "/tollgate/revocations/".to_owned()
}

fn five_seconds() -> Interval {
    Interval::seconds(5)
}

fn ten_minutes() -> Interval {
    Interval::seconds(600)
}

fn ten_seconds() -> Interval {
    Interval::seconds(10)
}

impl Stores {
    /// Relative paths start at the configuration's folder. Every setting is named here, so that a new one does not compile before
    /// somebody has said whether it is a path.
    pub(super) fn resolve(&mut self, base: &Path) {
        let Self {
            revocations: RevocationList { journal, max_entries: _, catch_up: _ },
            broker,
            etcd,
            discovery,
            redis,
            counters,
            blocks,
            traffic_manager,
        } = self;
        let Counters { max_keys: _, file } = counters;
        discovery.iter_mut().for_each(|discovery| discovery.resolve(base));
        redis.iter_mut().for_each(|redis| redis.resolve(base));
        start_at(base, journal.iter_mut().chain(file).chain(blocks));
        if let Some(traffic_manager) = traffic_manager {
            traffic_manager.resolve(base);
        }
        if let Some(Broker {
            ca,
            client_certificate,
            url: _,
            topic: _,
            subscription: _,
            username: _,
            password: _,
            heartbeat: _,
            missed: _,
        }) = broker
        {
            start_at(base, files(client_certificate).chain(ca));
        }
        if let Some(Etcd { ca, client_certificate, endpoints: _, username: _, password: _, prefix: _, relist: _, heartbeat: _ }) = etcd {
            start_at(base, files(client_certificate).chain(ca));
        }
    }
}
