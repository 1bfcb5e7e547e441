//! `stores.redis`: where gateways keep quotas together.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Interval, Secret};

use crate::config::{
    KeyPair,
    load::{files, start_at},
};

/// A Redis (5 or later) or a Valkey in which gateways keep quotas together. Policies of the filter `throttle` say with `shared` which ones;
/// without any, the gateway does not start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `redis://HOST[:PORT]`, or `rediss://HOST[:PORT]` with TLS; port 6379. Of a cluster, some of its nodes; with `sentinel`, the sentinels,
    /// port 26379. Without TLS, whoever sits on the way can read the password and change quotas.
    pub urls: Vec<String>,
    /// Whether the URLs are nodes of a cluster. Not with `sentinel`.
    #[serde(default)]
    pub cluster: bool,
    /// The master, when the URLs are those of its sentinels.
    #[serde(default)]
    pub sentinel: Option<Sentinel>,
    /// User name. Absent: the default user.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, as a reference.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Certificates that the servers' must end in, PEM. Absent: the system's. Read at each connection.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate. Read at each connection.
    #[serde(default)]
    pub client_certificate: Option<KeyPair>,
    /// How long a call may take, 10 ms to 1 s: the most that a request waits for the store.
    #[serde(default = "fifty_milliseconds")]
    pub timeout: Interval,
    /// What every key in the store begins with. Gateways that count together have the same.
    #[serde(default = "prefix")]
    pub prefix: String,
    /// How many gateways there are at least. The store knows how many there are; before it was reached for the first time, a policy with
    /// `shared: share` lets its part pass only when this is set.
    #[serde(default)]
    pub gateways: u32,
}

/// A master that sentinels watch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sentinel {
    /// Its name, as the sentinels know it.
    pub master: String,
    /// Password of the sentinels, as a reference. Absent: they ask for none.
    #[serde(default)]
    pub password: Option<Secret>,
}

fn fifty_milliseconds() -> Interval {
    Interval(std::time::Duration::from_millis(50))
}

fn prefix() -> String {
    "tollgate".to_owned()
}

impl Redis {
    /// Relative paths start at the configuration's folder.
    pub(super) fn resolve(&mut self, base: &Path) {
        let Self { ca, client_certificate, urls: _, cluster: _, sentinel: _, username: _, password: _, timeout: _, prefix: _, gateways: _ } =
            self;
        start_at(base, files(client_certificate).chain(ca));
    }
}
