//! A listener's TLS as it is at the moment, and what becomes of connections that were made before it changed.
//!
//! Files are looked at in the background; what changed takes the place of the old for the next handshake, and a kept connection
//! is judged anew at its next request. Nothing tells a client that its connection is no longer good before it asks.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName};
use tollgate_filter_api::{Gauge, MetricDoc, Metrics, NoCertificate, Peer, Problem};

use super::{
    acceptor::{self, State},
    client_certificate::Presented,
    forwarded::Forwarded,
    trust::Trust,
};
use crate::config::{ClientAuthMode, Tls};

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "tls_files_broken", help: "1 while the TLS files of a listener cannot be used and older ones are in force." },
    MetricDoc {
        name: "tls_crl_next_update_timestamp_seconds",
        help: "When the first revocation list of a listener ends, in seconds since 1970; 0 without one.",
    },
];

/// Least time between two complaints about one listener's files.
const QUIET: Duration = Duration::from_secs(60);

type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// A listener's TLS.
pub struct Endpoint {
    tls: Tls,
    address: String,
    state: ArcSwap<State>,
    seen: Mutex<Seen>,
    broken: Gauge,
    crl_ends: Gauge,
    forwarded: Option<Forwarded>,
}

struct Seen {
    stamps: Vec<Stamp>,
    broken: bool,
    complained: Option<Instant>,
}

impl Endpoint {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together.
    pub fn new(tls: &Tls, address: String, metrics: &Metrics) -> Result<Self, Problem> {
        let stamps = stamps(tls);
        let state = acceptor::state(tls)?;
        let forwarded = tls.client_auth.as_ref().and_then(|auth| auth.forwarded.as_ref());
        let endpoint = Self {
            forwarded: forwarded.map(Forwarded::new).transpose()?,
            tls: tls.clone(),
            broken: metrics.gauge("tls_files_broken", Some(("listener", &address))),
            crl_ends: metrics.gauge("tls_crl_next_update_timestamp_seconds", Some(("listener", &address))),
            address,
            state: ArcSwap::from_pointee(state),
            seen: Mutex::new(Seen { stamps, broken: false, complained: None }),
        };
        endpoint.tell(false);
        Ok(endpoint)
    }

    /// The state for a handshake.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Looks at the files, and reads them when one has changed. Blocks.
    pub fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.tls);
        if stamps == seen.stamps && !seen.broken {
            return;
        }
        match acceptor::state(&self.tls) {
            Ok(state) => {
                self.state.store(Arc::new(state));
                seen.broken = false;
                seen.complained = None;
                log::info!("the TLS files of {} were read again", self.address);
            }
            Err(problem) => {
                seen.broken = true;
                if seen.complained.is_none_or(|at| at.elapsed() >= QUIET) {
                    seen.complained = Some(Instant::now());
                    log::error!("the TLS files of {} cannot be used, the old ones stay: {problem}", self.address);
                }
            }
        }
        seen.stamps = stamps;
        self.tell(seen.broken);
    }

    fn tell(&self, broken: bool) {
        self.broken.set(i64::from(broken));
        let next = self.state.load().trust.as_ref().and_then(Trust::next_update);
        self.crl_ends.set(next.unwrap_or(0));
    }

    /// The header in which balancers forward certificates.
    pub fn forwarded_header(&self) -> Option<HeaderName> {
        self.forwarded.as_ref().map(Forwarded::header)
    }

    /// Whether a connection is a balancer's, which brings requests for hosts of all kinds.
    pub fn is_balancer(&self, presented: Option<&Presented>) -> bool {
        let (Some(forwarded), Some(presented)) = (&self.forwarded, presented) else { return false };
        self.state.load().trust.as_ref().is_some_and(|trust| forwarded.is_balancer(&presented.judge(trust)))
    }

    /// Who sends a request over a connection, by the rules of now.
    ///
    /// # Errors
    /// When the listener lets nobody in without a certificate and the connection's is no longer good.
    pub fn peer(&self, connected: &Peer, presented: Option<&Presented>, headers: &HeaderMap) -> Result<Peer, Lapsed> {
        let state = self.state.load();
        let Some(trust) = &state.trust else { return Ok(Peer::Anonymous(NoCertificate::NotAsked)) };
        let peer = match presented {
            Some(presented) => presented.judge(trust),
            None => connected.clone(),
        };
        let required = self.tls.client_auth.as_ref().is_some_and(|auth| auth.mode == ClientAuthMode::Required);
        match peer {
            Peer::Anonymous(why) if required => Err(Lapsed(why)),
            peer => Ok(match &self.forwarded {
                Some(forwarded) => forwarded.peer(peer, headers, trust),
                None => peer,
            }),
        }
    }
}

/// A certificate that the connection needs is no longer good.
#[derive(Debug)]
pub struct Lapsed(pub NoCertificate);

fn stamps(tls: &Tls) -> Vec<Stamp> {
    let clients = tls.client_auth.iter().flat_map(|auth| std::iter::once(&auth.ca).chain(&auth.crl));
    [&tls.certificate, &tls.key].into_iter().chain(clients).map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
}
