//! The TLS of one listener, reloaded when its files change.
//!
//! A background task checks the files. New content is used from the next handshake on, and a connection that is already open is judged
//! by it at its next request. A client whose certificate is no longer good learns it with that request, not before.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName};
use tollgate_filter_api::{Gauge, LogLimiter, MetricDoc, Metrics, NoCertificate, Peer, Problem};

use super::{
    acceptor::{self, State},
    client_certificate::ClientCertificate,
    forwarded::Forwarded,
    trust::ClientTrust,
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

type Stamp = Option<(u64, u64, u64, i64, i64, i64, i64)>;

/// The TLS of a listener.
pub struct ListenerTls {
    tls: Tls,
    address: String,
    state: ArcSwap<State>,
    files: Mutex<Files>,
    broken: Gauge,
    crl_ends: Gauge,
    forwarded: Option<Forwarded>,
}

struct Files {
    stamps: Vec<Stamp>,
    broken: bool,
    reports: LogLimiter,
}

impl ListenerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together.
    pub fn new(tls: &Tls, address: String, metrics: &Metrics) -> Result<Self, Problem> {
        let stamps = stamps(tls);
        let state = acceptor::state(tls)?;
        let forwarded = tls.client_auth.as_ref().and_then(|auth| auth.forwarded.as_ref());
        let listener = Self {
            forwarded: forwarded.map(Forwarded::new).transpose()?,
            tls: tls.clone(),
            broken: metrics.gauge("tls_files_broken", Some(("listener", &address))),
            crl_ends: metrics.gauge("tls_crl_next_update_timestamp_seconds", Some(("listener", &address))),
            address,
            state: ArcSwap::from_pointee(state),
            files: Mutex::new(Files { stamps, broken: false, reports: LogLimiter::default() }),
        };
        listener.record(false);
        Ok(listener)
    }

    /// What the next handshake uses.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Reads the files again if one of them has changed. Blocks.
    pub fn refresh(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.tls);
        if stamps == files.stamps && !files.broken {
            return;
        }
        match acceptor::state(&self.tls) {
            Ok(state) => {
                self.state.store(Arc::new(state));
                files.broken = false;
                files.reports = LogLimiter::default();
                log::info!("the TLS files of {} were read again", self.address);
            }
            Err(problem) => {
                files.broken = true;
                if files.reports.allow(Instant::now()).is_some() {
                    log::error!("the TLS files of {} cannot be used, the old ones stay: {problem}", self.address);
                }
            }
        }
        files.stamps = stamps;
        self.record(files.broken);
    }

    fn record(&self, broken: bool) {
        self.broken.set(i64::from(broken));
        let next = self.state.load().trust.as_ref().and_then(ClientTrust::next_update);
        self.crl_ends.set(next.unwrap_or(0));
    }

    /// The header in which load balancers forward certificates.
    pub fn forwarded_header(&self) -> Option<HeaderName> {
        self.forwarded.as_ref().map(Forwarded::header)
    }

    /// Whether the certificate is a load balancer's, which sends requests for any host.
    pub fn is_balancer(&self, certificate: Option<&ClientCertificate>) -> bool {
        let (Some(forwarded), Some(certificate)) = (&self.forwarded, certificate) else { return false };
        self.state.load().trust.as_ref().is_some_and(|trust| forwarded.is_balancer(&certificate.judge(trust)))
    }

    /// Who sends a request, by the rules in force now.
    ///
    /// # Errors
    /// When the listener requires a certificate and the connection's is no longer good.
    pub fn peer(&self, connected: &Peer, certificate: Option<&ClientCertificate>, headers: &HeaderMap) -> Result<Peer, Lapsed> {
        let state = self.state.load();
        let Some(trust) = &state.trust else { return Ok(Peer::Anonymous(NoCertificate::NotAsked)) };
        let peer = match certificate {
            Some(certificate) => certificate.judge(trust),
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

/// The connection's certificate is required, and no longer good.
#[derive(Debug)]
pub struct Lapsed(pub NoCertificate);

fn stamps(tls: &Tls) -> Vec<Stamp> {
    let clients = tls.client_auth.iter().flat_map(|auth| std::iter::once(&auth.ca).chain(&auth.crl));
    let named = tls.certificates.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    [&tls.certificate, &tls.key].into_iter().chain(named).chain(clients).map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
}
