//! Names to addresses, as snapshots that are looked up again in the background.
//!
//! The last answer is kept when a look-up fails, however long that lasts: the connection attempts will say whether it is
//! still good. Answers are not authenticated; TLS towards the upstream is what protects.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{sync::Notify, time::Instant};
use tollgate_filter_api::{Counter, Metrics};

use super::{
    jittered,
    tended::{Registry, Tended, lock},
};

/// Longest look-up.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Least time between two look-ups of a name that has no answer yet.
const RETRY: Duration = Duration::from_secs(1);

/// A name without any address.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot resolve {host}: {cause}")]
pub struct DnsError {
    /// The name.
    pub host: String,
    /// What the resolver said last.
    pub cause: String,
}

type LookUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type LookUpFn = Arc<dyn Fn(String, u16) -> LookUp + Send + Sync>;

/// The names in use, shared by host and port.
pub struct Resolver {
    refresh: Duration,
    look_up: LookUpFn,
    metrics: Metrics,
    names: Registry<(String, u16), Name>,
}

impl Resolver {
    /// A resolver that asks the machine's one again every `refresh`.
    pub fn new(refresh: Duration, metrics: Metrics) -> Self {
        let look_up: LookUpFn = Arc::new(|host, port| Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) }));
        Self { refresh, look_up, metrics, names: Registry::default() }
    }

    /// The addresses of a host name or literal address; shared by all who ask, ended by the last one's drop. Looks
    /// nothing up by itself.
    pub fn name(&self, host: &str, port: u16) -> Arc<Name> {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let make = || Ok::<_, std::convert::Infallible>(self.make(&host, port));
        let Ok((name, _)) = self.names.get_or_make((host.clone(), port), make);
        name
    }

    /// Keeps the names fresh until `shutdown` ends.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        self.names.run(shutdown).await;
    }

    fn make(&self, host: &str, port: u16) -> Name {
        let literal: Option<IpAddr> = host.parse().ok();
        let addresses = literal.map(|ip| Arc::new(Addresses(Arc::from([SocketAddr::new(ip, port)]))));
        Name {
            host: host.to_owned(),
            port,
            literal: literal.is_some(),
            refresh: self.refresh,
            look_up: self.look_up.clone(),
            addresses: ArcSwapOption::new(addresses),
            state: Mutex::new(State { due: Instant::now(), last_lookup: None, cause: "not asked yet".to_owned(), failures: 0 }),
            flight: tokio::sync::Mutex::new(()),
            wake: Arc::default(),
            failed: self.metrics.counter("dns_failures_total", Some(("host", host))),
        }
    }
}

/// `ArcSwap` wants something sized.
struct Addresses(Arc<[SocketAddr]>);

struct State {
    due: Instant,
    last_lookup: Option<Instant>,
    cause: String,
    failures: u32,
}

/// One host and port, and the addresses it last had.
pub struct Name {
    host: String,
    port: u16,
    literal: bool,
    refresh: Duration,
    look_up: LookUpFn,
    addresses: ArcSwapOption<Addresses>,
    state: Mutex<State>,
    flight: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
    failed: Counter,
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({}:{})", self.host, self.port)
    }
}

impl Name {
    /// The addresses known now; `None` before the first look-up succeeded.
    pub fn peek(&self) -> Option<Arc<[SocketAddr]>> {
        self.addresses.load().as_ref().map(|addresses| addresses.0.clone())
    }

    /// Address number `n`, counted round; touches no counter that two cores share.
    pub fn pick(&self, n: usize) -> Option<SocketAddr> {
        let addresses = self.addresses.load();
        let all = &addresses.as_ref()?.0;
        all.get(n % all.len().max(1)).copied()
    }

    /// The addresses, looked up now when there are none. All who wait share one look-up.
    ///
    /// # Errors
    /// When there never was an answer and now is none either; a new look-up is made at most once a second.
    pub async fn get(&self) -> Result<Arc<[SocketAddr]>, DnsError> {
        if let Some(known) = self.peek() {
            return Ok(known);
        }
        let _flight = self.flight.lock().await;
        let recent = lock(&self.state).last_lookup.is_some_and(|at| at.elapsed() < RETRY);
        if self.peek().is_none() && !recent {
            self.ask().await;
        }
        self.peek().ok_or_else(|| DnsError { host: self.host.clone(), cause: lock(&self.state).cause.clone() })
    }

    async fn ask(&self) {
        let answer = tokio::time::timeout(TIMEOUT, (self.look_up)(self.host.clone(), self.port)).await;
        let answer = match answer {
            Ok(Ok(addresses)) if addresses.is_empty() => Err("no addresses".to_owned()),
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
        };
        let mut state = lock(&self.state);
        state.last_lookup = Some(Instant::now());
        match answer {
            Ok(addresses) => {
                self.addresses.store(Some(Arc::new(Addresses(distinct(addresses).into()))));
                state.failures = 0;
                state.due = Instant::now() + jittered(self.refresh);
            }
            Err(cause) => {
                self.failed.inc();
                log::warn!("cannot resolve {}: {cause}", self.host);
                state.cause = cause;
                state.failures = state.failures.saturating_add(1);
                let pause = RETRY.saturating_mul(2_u32.saturating_pow(state.failures - 1));
                state.due = Instant::now() + jittered(pause.min(self.refresh)).max(RETRY);
            }
        }
    }
}

/// The resolver's order, each address once.
fn distinct(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = std::collections::HashSet::new();
    addresses.into_iter().filter(|address| seen.insert(*address)).collect()
}

impl Drop for Name {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

impl Tended for Name {
    fn due(&self) -> Instant {
        if self.literal {
            // Never; a year is as far as the timer needs to reach.
            return Instant::now() + Duration::from_secs(365 * 86_400);
        }
        lock(&self.state).due
    }

    fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    async fn tend(self: Arc<Self>) {
        let _flight = self.flight.lock().await;
        if lock(&self.state).due <= Instant::now() {
            self.ask().await;
        }
    }
}

#[cfg(test)]
#[path = "tests/dns.rs"]
mod tests;
