//! The running gateway: the configuration in force, and how the next one takes its place.
//!
//! A reload builds the whole next configuration beside the running one; a single problem anywhere leaves everything as it
//! was. Requests keep the configuration they began with.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use arc_swap::ArcSwap;
use pingora::connectors::http::Connector;
use serde_json::{Value, json};
use tokio::sync::watch;
use tollgate_filter_api::{Declared, Env, Kind, MetricDoc, Metrics, Problem, Problems, Readiness, Shared};

use tollgate_throttling::{Change, ChangeError, Throttling};

use tollgate_validation::ledger::{self, Ledger};

use tollgate_revocations::{Book, Instruction, Journal, JournalError, RevokeError};

use super::{
    coverage,
    fixed::fixed,
    show,
    snapshot::{Kernel, Snapshot},
};
use crate::{
    admin::{AdminView, BoxFuture, ChangeRefused},
    chain::GATEWAY_REASONS,
    config::{Config, Stores, Variables},
    proxy::{
        budget::Budget,
        client::tls::listener,
        server::{pressure::Pressure, ready::Ready},
        transport::upstream_connections::UpstreamConnections,
    },
    routes::{host, normal},
    source::PlanSource,
    stores::{
        self, Documents, Resolver, ServerTrust, SystemClock,
        discovery::{self, Discovery},
        inputs,
        quotas::Quotas,
        traffic_manager::{self, Traffic},
    },
    telemetry::{AccessLog, Telemetry},
    upstreams,
};

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum ConfigSource {
    /// A file, read again at each reload.
    File(PathBuf),
    /// Text that does not change; relative paths start at the folder.
    Text {
        /// What problems call it.
        name: String,
        /// YAML.
        text: String,
        /// Where relative paths start.
        base: PathBuf,
    },
}

impl ConfigSource {
    fn load(&self, kinds: &[Kind]) -> Result<Config, Problems> {
        match self {
            Self::File(path) => Config::load(path, kinds),
            Self::Text { name, text, base } => Config::parse(name, text.as_bytes(), base, kinds),
        }
    }
}

/// The gateway of a process.
pub struct Gateway {
    /// What every configuration shares.
    pub kernel: Kernel,
    /// Fetches documents.
    pub documents: Arc<Documents>,
    /// What was revoked.
    pub revocations: Arc<Book>,
    /// What was counted, and who is blocked.
    pub quotas: Arc<Quotas>,
    /// The traffic manager, if there is one.
    pub traffic: Option<Arc<Traffic>>,
    /// What traffic has used of definitions, and what was found wrong.
    pub ledger: Arc<Ledger>,
    /// Where requests are logged.
    pub access_log: AccessLog,
    /// When it was loaded.
    pub(in crate::proxy) begun: Instant,
    /// Settings of what is listened to.
    pub(in crate::proxy) stores: watch::Sender<Stores>,
    source: Arc<dyn PlanSource>,
    config: ConfigSource,
    current: ArcSwap<Snapshot>,
    reloading: Mutex<()>,
    ready: Ready,
    ids: AtomicU64,
    id_seed: u64,
}

impl Gateway {
    /// Loads everything; nothing is opened and nothing is started.
    ///
    /// # Errors
    /// Every problem of artifact and configuration.
    pub fn load(source: Arc<dyn PlanSource>, config: ConfigSource, kinds: &'static [Kind]) -> Result<Arc<Self>, Problems> {
        Self::load_with(source, config, kinds, Variables::default())
    }

    /// As [`load`](Self::load), with what is set beside the configuration.
    ///
    /// # Errors
    /// Every problem of artifact and configuration, and what is set and changes nothing.
    pub fn load_with(
        source: Arc<dyn PlanSource>,
        config: ConfigSource,
        kinds: &'static [Kind],
        variables: Variables,
    ) -> Result<Arc<Self>, Problems> {
        let loaded_config = config.load(kinds)?;
        inputs::check(&loaded_config)?;
        let metrics = Metrics::default();
        let clock = Arc::new(SystemClock);
        let trust = loaded_config.gateway.trust.ca.clone().map_or(ServerTrust::System, ServerTrust::File);
        let documents = Arc::new(Documents::new(loaded_config.base.clone(), trust, clock.clone(), metrics.clone()));
        documents.renew_trust(documents.read_trust().map_err(|problem| blame(problem, &loaded_config, "/trust/ca"))?);
        let revocations = Arc::new(open_book(&loaded_config, clock.clone(), &metrics)?);
        documents.offer(revocations.clone());
        let resolver = Arc::new(Resolver::new(loaded_config.gateway.upstream.dns_refresh.0, metrics.clone()));
        let discovery = Discovery::new(&metrics);
        let lookup = discovery::lookup(&loaded_config, &variables)?;
        discovery.recall(&lookup);
        let env = Env {
            clock,
            world: documents.clone(),
            shared: Shared::default(),
            metrics,
            readiness: Readiness::default(),
            declared: Declared::default(),
        };
        let quotas = Arc::new(Quotas::open(&loaded_config, &env)?);
        let ledger = Arc::new(Ledger::default());
        env.shared.offer(ledger::NAME, &ledger);
        traffic_manager::check(&loaded_config, &documents)?;
        let traffic = Traffic::new(&loaded_config.gateway.stores, &env)?;
        let own =
            GATEWAY_REASONS.iter().copied().chain(normal::REASONS.iter().map(|rejection| &rejection.reason)).chain([&host::HOST.reason]);
        let telemetry = Arc::new(Telemetry::new(own.chain(kinds.iter().flat_map(|kind| kind.reasons))));
        let buffers = Budget::new(loaded_config.gateway.limits.answer_buffers.0, telemetry.limits.answer_buffers.clone());
        let whole_answers = Budget::new(loaded_config.gateway.limits.whole_answers.0, telemetry.limits.whole_answers.clone());
        let pressure = Arc::new(Pressure::new(telemetry.memory_pressure.clone(), telemetry.files_pressure.clone()));
        let kernel = Kernel {
            env,
            kinds,
            variables,
            telemetry,
            resolver,
            discovery,
            upstream_connections: UpstreamConnections::new(),
            pools: Arc::default(),
            beside: Arc::new(Connector::new(None)),
            pressure,
            buffers,
            whole_answers,
        };
        let access_log = AccessLog::open(&loaded_config.gateway.access_log, kernel.telemetry.access_log_dropped.clone());
        let access_log = access_log.map_err(|problem| blame(problem, &loaded_config, "/access_log/to"))?;
        let stores = watch::Sender::new(loaded_config.gateway.stores.clone());
        quotas.throttling.begin();
        traffic.iter().for_each(|traffic| traffic.begin());
        let first = Snapshot::build(&kernel, source.load()?, loaded_config, 1)?;
        quotas.check(first.config())?;
        traffic.iter().try_for_each(|traffic| traffic.check_used(first.config()))?;
        kernel.discovery.serve(&first.consumers(), &lookup);
        kernel.telemetry.running(1, &first.loaded.digest, first.id.as_str(), &first.judge.waived);
        Ok(Arc::new(Self {
            kernel,
            documents,
            revocations,
            quotas,
            traffic,
            ledger,
            access_log,
            begun: Instant::now(),
            stores,
            source,
            config,
            current: ArcSwap::from_pointee(first),
            reloading: Mutex::new(()),
            ready: Ready::default(),
            ids: AtomicU64::new(0),
            id_seed: random(),
        }))
    }

    /// The configuration in force.
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// An id that no other request of this process has, and hardly one of another.
    pub(in crate::proxy) fn next_id(&self) -> u128 {
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        (u128::from(self.id_seed) << 64) | u128::from(count.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.id_seed.rotate_left(17))
    }

    /// Puts the next configuration to use. Reads files; may take a while.
    ///
    /// # Errors
    /// Every problem; the running configuration stays.
    pub fn reload(&self) -> Result<u64, Problems> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.next().inspect_err(|problems| {
            self.kernel.telemetry.reload_failed();
            log::error!("the configuration was not changed, because of {} problems", problems.0.len());
            problems.0.iter().for_each(|problem| log::error!("{problem}"));
        })
    }

    fn next(&self) -> Result<u64, Problems> {
        let running = self.current();
        let config = self.config.load(self.kernel.kinds)?;
        fixed(running.config(), &config)?;
        inputs::check(&config)?;
        self.kernel.variables.begin();
        let lookup = discovery::lookup(&config, &self.kernel.variables)?;
        traffic_manager::check(&config, &self.documents)?;
        let stores = config.gateway.stores.clone();
        let generation = running.generation + 1;
        let trust = self.documents.read_trust().map_err(|problem| blame(problem, &config, "/trust/ca"))?;
        self.quotas.throttling.begin();
        self.traffic.iter().for_each(|traffic| traffic.begin());
        let next = Snapshot::build(&self.kernel, self.source.load()?, config, generation)?;
        self.quotas.check(next.config())?;
        self.traffic.iter().try_for_each(|traffic| traffic.check_used(next.config()))?;
        self.documents.renew_trust(trust);
        self.kernel.telemetry.running(generation, &next.loaded.digest, next.id.as_str(), &next.judge.waived);
        next.announce(self.kernel.kinds);
        self.stores.send_replace(stores);
        self.kernel.discovery.prepare(&next.consumers(), &lookup);
        let next = Arc::new(next);
        self.current.store(next.clone());
        coverage::forget(&self.ledger, &next.loaded.plan);
        self.kernel.discovery.serve(&next.consumers(), &lookup);
        Ok(generation)
    }

    /// No longer ready: a stop has begun.
    pub fn drain(&self) {
        self.ready.drain();
    }

    /// Whether a stop has begun.
    pub(in crate::proxy) fn is_draining(&self) -> bool {
        self.ready.is_draining()
    }

    /// The listeners are open.
    pub(in crate::proxy) fn listening(&self) {
        self.ready.listening();
    }
}

/// The message names the file that is wrong, the place is where the configuration names it.
fn blame(problem: Problem, config: &Config, pointer: &str) -> Problems {
    let named = if problem.file.is_empty() { problem.message } else { format!("{}: {}", problem.file, problem.message) };
    let mut problems = Problems::from(Problem::error(problem.code, named).at(config.file(), 0, pointer).hint(problem.hint));
    config.locate(&mut problems);
    problems
}

fn open_book(config: &Config, clock: Arc<SystemClock>, metrics: &Metrics) -> Result<Book, Problems> {
    let settings = &config.gateway.stores.revocations;
    let inputs = inputs::inputs(&config.gateway.stores);
    let opened = settings.journal.as_deref().map(Journal::open).transpose();
    let opened = opened.and_then(|journal| Book::open(journal, settings.max_entries, &inputs, clock, metrics));
    let opened = opened.map(|book| book.waiting(settings.catch_up.0));
    opened.map_err(|error| {
        let problem = Problem::error("revocations.journal", error.to_string()).at(config.file(), 0, "/stores/revocations/journal");
        let mut problems = Problems::from(problem.hint("restore the file, or take it away and revoke anew what it held"));
        config.locate(&mut problems);
        problems
    })
}

/// Most revocations of one request.
const MOST_REVOCATIONS: usize = 10_000;

fn revoke(book: &Book, body: &[u8]) -> Result<Value, ChangeRefused> {
    let statements = Instruction::read(body, MOST_REVOCATIONS, book.reading_time()).map_err(|bad| ChangeRefused::Bad(bad.to_string()))?;
    let sequence = book.revoke(&statements).map_err(|error| match error {
        RevokeError::Full | RevokeError::Journal(JournalError::Full) => ChangeRefused::Full(error.to_string()),
        RevokeError::NoJournal | RevokeError::Journal(_) => ChangeRefused::Unavailable(error.to_string()),
    })?;
    Ok(json!({ "sequence": sequence, "revoked": statements.len() }))
}

fn change_blocks(throttling: &Throttling, body: &[u8]) -> Result<Value, ChangeRefused> {
    let change: Change = serde_json::from_slice(body).map_err(|error| ChangeRefused::Bad(error.to_string()))?;
    let done = throttling.blocks.change(&change).map_err(|error| match error {
        ChangeError::Bad(_) => ChangeRefused::Bad(error.to_string()),
        ChangeError::Full | ChangeError::Long => ChangeRefused::Full(error.to_string()),
        ChangeError::NoFile | ChangeError::File(..) => ChangeRefused::Unavailable(error.to_string()),
    })?;
    Ok(json!({ "changed": done.changed, "blocks": done.blocks }))
}

/// Does what waits for the disk where nothing else waits with it.
async fn on_a_thread(work: impl FnOnce() -> Result<Value, ChangeRefused> + Send + 'static) -> Result<Value, ChangeRefused> {
    let failed = |_| Err(ChangeRefused::Unavailable("the gateway failed; its log has the cause".to_owned()));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)
}

/// What the series of filters, stores and listeners are.
fn series(kinds: &'static [Kind]) -> impl Iterator<Item = &'static MetricDoc> + Clone {
    let filters = kinds.iter().flat_map(|kind| kind.metrics);
    filters
        .chain(stores::METRICS)
        .chain(discovery::METRICS)
        .chain(stores::quotas::METRICS)
        .chain(stores::quotas::SHARED)
        .chain(traffic_manager::METRICS)
        .chain(listener::METRICS)
        .chain(upstreams::METRICS)
        .chain(tollgate_revocations::METRICS)
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

impl AdminView for Arc<Gateway> {
    fn ready(&self) -> Vec<String> {
        self.ready.missing(self)
    }

    fn revocation(&self) -> Value {
        self.revocations.show()
    }

    fn revoke(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>> {
        let book = self.revocations.clone();
        Box::pin(on_a_thread(move || revoke(&book, &body)))
    }

    fn quotas(&self) -> Value {
        self.quotas.show()
    }

    fn upstreams(&self) -> Value {
        show::upstreams(&self.current())
    }

    fn coverage(&self) -> Value {
        let since = SystemTime::now().checked_sub(self.begun.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH);
        coverage::coverage(&self.current(), &self.ledger, since)
    }

    fn blocks(&self) -> Value {
        serde_json::to_value(self.quotas.throttling.blocks.all()).unwrap_or(Value::Null)
    }

    fn change_blocks(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>> {
        let throttling = self.quotas.throttling.clone();
        Box::pin(on_a_thread(move || change_blocks(&throttling, &body)))
    }

    fn metrics(&self) -> String {
        show::count(&self.current().upstreams, &self.kernel.env.metrics);
        self.kernel.telemetry.render(&self.kernel.env.metrics, series(self.kernel.kinds))
    }

    fn plan(&self) -> Value {
        serde_json::to_value(&self.current().loaded.plan).unwrap_or(Value::Null)
    }

    fn artifact(&self) -> Value {
        let snapshot = self.current();
        json!({
            "digest": snapshot.loaded.digest,
            "configuration": snapshot.id.as_str(),
            "signers": snapshot.loaded.signers,
            "inputs": snapshot.loaded.plan.documents,
            "generation": snapshot.generation,
            "waived": snapshot.judge.waived.iter().map(|waived| &waived.filter).collect::<Vec<_>>(),
        })
    }

    fn reload(&self) -> BoxFuture<'_, Result<u64, Problems>> {
        // The port goes on answering meanwhile: whoever watches `/livez` must not take a long reload for a death.
        let gateway = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || Gateway::reload(&gateway)).await;
            done.unwrap_or_else(|_| Err(Problem::error("reload.failed", "the gateway failed; its log has the cause").into()))
        })
    }
}

#[cfg(test)]
#[path = "tests/gateway.rs"]
mod tests;
