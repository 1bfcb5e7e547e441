//! `stores.discovery`: where endpoints are looked up while the gateway runs.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Interval, Secret};

use super::{five_seconds, ten_minutes};
use crate::config::{
    KeyPair,
    load::{files, start_at},
};

/// An etcd whose keys say where upstreams are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryStore {
    /// URLs of the members, `http://HOST[:PORT]` or `https://HOST[:PORT]`, port 2379. After a failure the next one is tried. None: there is no
    /// etcd, only `file`.
    #[serde(default)]
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
    /// How often everything is read again and compared. Differences are mended, counted and logged.
    #[serde(default = "ten_minutes")]
    pub relist: Interval,
    /// How often etcd is asked whether everything was told. After three times this without a word the next member is asked.
    #[serde(default = "five_seconds")]
    pub heartbeat: Interval,
    /// Name servers for `dns` of a group's `discovery`, as `ADDRESS[:PORT]`. None: the machine's.
    #[serde(default)]
    pub name_servers: Vec<String>,
    /// File that keeps the last good endpoints, so that a start while etcd or DNS is away begins with them. It is written within
    /// a second or so after a change. Absent: a start begins with those of this file or the definition.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

impl DiscoveryStore {
    /// Members that are reached without TLS files, every other setting as it is by default.
    pub fn at(endpoints: Vec<String>) -> Self {
        let (username, password, ca, client_certificate) = (None, None, None, None);
        Self {
            endpoints,
            username,
            password,
            ca,
            client_certificate,
            relist: ten_minutes(),
            heartbeat: five_seconds(),
            name_servers: Vec::new(),
            file: None,
        }
    }

    /// The name servers.
    ///
    /// # Errors
    /// The place in the list of one that is none.
    pub fn name_servers(&self) -> Result<Vec<SocketAddr>, usize> {
        const PORT: u16 = 53;
        let read = |(place, text): (usize, &String)| {
            let bare = || text.parse().map(|address: IpAddr| SocketAddr::new(address, PORT));
            text.parse().or_else(|_| bare()).map_err(|_| place)
        };
        self.name_servers.iter().enumerate().map(read).collect()
    }

    /// Whether an etcd is meant.
    pub fn names_etcd(&self) -> bool {
        let Self { endpoints, username, password, ca, client_certificate, relist: _, heartbeat: _, name_servers: _, file: _ } = self;
        !endpoints.is_empty() || username.is_some() || password.is_some() || ca.is_some() || client_certificate.is_some()
    }

    /// Relative paths start at the configuration's folder.
    pub(super) fn resolve(&mut self, base: &Path) {
        let Self { ca, client_certificate, endpoints: _, username: _, password: _, relist: _, heartbeat: _, name_servers: _, file } = self;
        start_at(base, files(client_certificate).chain(ca).chain(file));
    }
}
