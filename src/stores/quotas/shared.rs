//! The store in which gateways keep quotas together, on a thread of its own: a request that waits for it waits for nothing else.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tollgate_counters::{Counters, Key, Question};
use tollgate_filter_api::{Counter, Gauge, LogLimiter, MetricDoc, Metrics};
use tollgate_lender::{ClientCertificate, Lender, Mode, Observer, Settings};
use tollgate_throttling::Lend;

use crate::config;

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "quota_store_connected", help: "1 while every master of the store of shared quotas is connected." },
    MetricDoc { name: "quota_store_calls_total", help: "Calls to the store of shared quotas, whatever came of them." },
    MetricDoc {
        name: "quota_store_failures_total",
        help: "Calls to the store of shared quotas that were not answered in time, or not well.",
    },
    MetricDoc {
        name: "quota_store_unsound_total",
        help: "Answers of the store of shared quotas that cannot be true; nothing of them counts.",
    },
    MetricDoc { name: "quota_store_lost_total", help: "Questions to the store of shared quotas for which there was no room." },
    MetricDoc { name: "quota_store_gateways", help: "Gateways that share the store of quotas, this one included." },
];

/// Settings that a problem's code may name.
pub(super) const FIELDS: &[&str] = &["urls", "username", "password", "timeout", "prefix", "gateways", "ca", "client_certificate"];

/// What the client wants to know.
pub(super) fn settings(redis: &config::Redis) -> Settings {
    let pair = |pair: &config::KeyPair| ClientCertificate { certificate: pair.certificate.clone(), key: pair.key.clone() };
    let mode = match &redis.sentinel {
        Some(sentinel) => Mode::Sentinel { master: sentinel.master.clone(), password: sentinel.password.clone() },
        None if redis.cluster => Mode::Cluster,
        None => Mode::Single,
    };
    Settings {
        urls: redis.urls.clone(),
        mode,
        username: redis.username.clone(),
        password: redis.password.clone(),
        ca: redis.ca.clone(),
        client_certificate: redis.client_certificate.as_ref().map(pair),
        timeout: redis.timeout.0,
        prefix: redis.prefix.clone(),
        gateways: redis.gateways,
    }
}

/// The way to the store.
pub(super) struct Shared {
    lender: Arc<Lender>,
    settings: Settings,
}

impl Shared {
    /// Nothing is connected before [`start`](Self::start).
    pub(super) fn new(settings: Settings, counters: Arc<Counters>, metrics: &Metrics) -> Arc<Self> {
        Arc::new(Self { lender: Lender::new(counters, Arc::new(Watch::new(metrics))), settings })
    }

    /// Asks from now on, until the process ends.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (lender, settings) = (self.lender.clone(), self.settings.clone());
        let work = async move {
            if let Err(problem) = tollgate_lender::run(settings, lender, std::future::pending()).await {
                log::error!("the store of shared quotas is not asked: {problem}");
            }
        };
        std::thread::Builder::new().name("quotas".to_owned()).spawn(move || runtime.block_on(work)).map(drop)
    }
}

impl Lend for Shared {
    fn ask(&self, question: Question) {
        self.lender.ask(question);
    }

    fn patience(&self) -> Duration {
        self.settings.timeout
    }

    fn answered(&self, keys: &[Key], patience: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let answers: Vec<_> = keys.iter().map(|key| self.lender.answered(*key)).collect();
        let all = async move {
            for answer in answers {
                answer.await;
            }
        };
        Box::pin(async move {
            // Who has waited for long enough looks once more, and decides without the store.
            let _ = tokio::time::timeout(patience, all).await;
        })
    }
}

/// Counts what happens, and says in the log when the store comes and goes.
struct Watch {
    connected: Gauge,
    calls: Counter,
    failures: Counter,
    unsound: Counter,
    lost: Counter,
    gateways: Gauge,
    is_connected: AtomicBool,
    arrivals: LogLimiter,
    losses: LogLimiter,
    lies: LogLimiter,
}

impl Watch {
    fn new(metrics: &Metrics) -> Self {
        Self {
            connected: metrics.gauge("quota_store_connected", None),
            calls: metrics.counter("quota_store_calls_total", None),
            failures: metrics.counter("quota_store_failures_total", None),
            unsound: metrics.counter("quota_store_unsound_total", None),
            lost: metrics.counter("quota_store_lost_total", None),
            gateways: metrics.gauge("quota_store_gateways", None),
            is_connected: AtomicBool::new(false),
            arrivals: LogLimiter::default(),
            losses: LogLimiter::default(),
            lies: LogLimiter::default(),
        }
    }
}

impl Observer for Watch {
    fn connected(&self, connected: bool) {
        self.connected.set(i64::from(connected));
        let news = self.is_connected.swap(connected, Ordering::Relaxed) != connected;
        if news && connected && self.arrivals.allow(Instant::now()).is_some() {
            log::info!("the store of shared quotas is there");
        }
    }

    fn called(&self, _: Duration, answered: bool) {
        self.calls.inc();
        if !answered {
            self.failures.inc();
        }
    }

    fn unsound(&self) {
        self.unsound.inc();
        if self.lies.allow(Instant::now()).is_some() {
            log::warn!("the store of shared quotas says what cannot be true; nothing of it counts");
        }
    }

    fn gateways(&self, gateways: u32) {
        self.gateways.set(i64::from(gateways));
    }

    fn lost(&self) {
        self.lost.inc();
    }

    fn away(&self, cause: &str) {
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("the store of shared quotas is away: {cause}");
        }
    }

    fn warn(&self, advice: &str) {
        log::warn!("the store of shared quotas: {advice}");
    }
}
