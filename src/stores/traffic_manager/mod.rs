//! WSO2's traffic manager: events on their way to it, what it publishes, and the two lists that it has at the start.
//!
//! All of it runs on a thread of its own, and no request waits for any of it. A task that fails is started again. What it does not
//! protect against: a traffic manager that is away. Decisions pass, events are lost and counted, and limits of the gateway's own go on.

mod lists;
mod publisher;
mod topic;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::sync::{oneshot, watch};
use tollgate_filter_api::{Clock, Counter, Env, Gauge, HeaderName, HeaderValue, MetricDoc, Problem, Problems, Remote, RemotePolicy, World};
use tollgate_traffic_manager::{NAME, TrafficManager};

use super::{
    Documents,
    http::parse_url,
    inputs::{
        BROKER, blame,
        listening::{self, listen},
        supervisor::supervise,
    },
};
use crate::config::{self, Config, Stores};
use lists::Lists;
use publisher::{Entrance, Outgoing, Publisher};
use topic::Ear;

/// How often what has passed is let go of.
const TICK: Duration = Duration::from_secs(1);

/// How long events that wait are still posted at the end of the process.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "traffic_manager_events_total", help: "Events for the traffic manager, one for each request that was let through." },
    MetricDoc {
        name: "traffic_manager_events_lost_total",
        help: "Such events that it did not get: the queue was full, or it did not take the event.",
    },
    MetricDoc { name: "traffic_manager_events_waiting", help: "Such events that wait to be posted." },
    MetricDoc { name: "traffic_manager_connected", help: "1 while the broker is there on which the traffic manager publishes." },
    MetricDoc { name: "traffic_manager_decisions", help: "Keys that it throttles." },
    MetricDoc {
        name: "traffic_manager_blocks",
        help: "Callers, APIs and addresses that it blocks, and those of late that it blocks no more.",
    },
    MetricDoc { name: "traffic_manager_key_templates", help: "Its custom policies." },
    MetricDoc {
        name: "traffic_manager_dropped_total",
        help: "Messages and entries of its lists that could not be understood, or for which there was no room.",
    },
];

/// The traffic manager of the process.
pub struct Traffic {
    manager: Arc<TrafficManager>,
    outgoing: Arc<Outgoing>,
    lists: Arc<Lists>,
    clock: Arc<dyn Clock>,
    series: Series,
}

struct Series {
    waiting: Gauge,
    decisions: Gauge,
    blocks: Gauge,
    templates: Gauge,
    dropped: Counter,
    connected: Gauge,
}

impl Traffic {
    /// The one that is configured, and offers it to filters. Nothing is opened yet.
    ///
    /// # Errors
    /// When something else has its name.
    pub fn new(stores: &Stores, env: &Env) -> Result<Option<Arc<Self>>, Problem> {
        let Some(settings) = &stores.traffic_manager else { return Ok(None) };
        let outgoing = Arc::new(Outgoing::new(settings.queue, &env.metrics));
        let manager = env.shared.get_or_make(NAME, || Ok(TrafficManager::new(Entrance(outgoing.clone()))))?;
        let lists = Arc::new(Lists::default());
        let gauge = |name| env.metrics.gauge(name, None);
        let series = Series {
            waiting: gauge("traffic_manager_events_waiting"),
            decisions: gauge("traffic_manager_decisions"),
            blocks: gauge("traffic_manager_blocks"),
            templates: gauge("traffic_manager_key_templates"),
            connected: gauge("traffic_manager_connected"),
            dropped: env.metrics.counter("traffic_manager_dropped_total", None),
        };
        Ok(Some(Arc::new(Self { manager, outgoing, lists, clock: env.clock.clone(), series })))
    }

    /// What traffic needs and is not there yet, for `/readyz`.
    pub fn missing(&self) -> Option<&'static str> {
        let missing = "the traffic manager has not said yet whom it blocks and what its custom policies are";
        (!self.lists.are_settled()).then_some(missing)
    }

    /// A configuration is built: what an earlier one said counts no more.
    pub fn begin(&self) {
        self.manager.begin();
    }

    /// Refuses a configuration of which no filter enforces what the traffic manager decides.
    ///
    /// # Errors
    /// When that is so.
    pub fn check_used(&self, config: &Config) -> Result<(), Problems> {
        if self.manager.is_used() {
            return Ok(());
        }
        let message = "no filter of the chain enforces what the traffic manager decides; add `throttle`, or leave this out";
        let mut problems = Problems::from(problem("stores.traffic_manager", message).at(config.file(), 0, "/stores/traffic_manager"));
        config.locate(&mut problems);
        Err(problems)
    }

    /// Does it all, on a new thread, until the process ends. Takes new settings as they come.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(self: &Arc<Self>, stores: watch::Receiver<Stores>, world: Arc<Documents>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = self.clone().keep(stores, world);
        std::thread::Builder::new().name("traffic-manager".to_owned()).spawn(move || runtime.block_on(work))?;
        Ok(())
    }

    /// Waits a moment for events that wait to be posted, at the end of the process.
    pub fn close(&self) {
        let begun = Instant::now();
        while !self.outgoing.is_empty() && begun.elapsed() < LAST_EVENTS {
            std::thread::sleep(Duration::from_millis(10));
        }
        if !self.outgoing.is_empty() {
            log::warn!("{} events for the traffic manager were not posted before the end", self.outgoing.waiting());
        }
    }

    /// With the settings of the day.
    async fn keep(self: Arc<Self>, mut stores: watch::Receiver<Stores>, world: Arc<Documents>) {
        loop {
            let Some(settings) = stores.borrow_and_update().traffic_manager.clone() else { return };
            let work = self.work(&settings, &world);
            tokio::select! {
                () = work => {}
                () = changed(&mut stores, &settings) => {}
            }
        }
    }

    async fn work(self: &Arc<Self>, settings: &config::TrafficManager, world: &Documents) {
        let (arrived, arrivals) = watch::channel(());
        let ear = Arc::new(Ear::new(self.manager.clone(), self.clock.clone(), arrived, self.series.connected.clone()));
        let (_stop, stopped) = oneshot::channel();
        let subscription = listen(listening::settings(&settings.broker.clone().into()), ear, stopped);
        let events = async {
            match server(world, settings, &settings.events, publisher::LONGEST_ANSWER) {
                Ok(remote) => {
                    let publisher = Publisher { outgoing: self.outgoing.clone(), remote, credentials: credentials(settings) };
                    supervise(|| publisher.clone().run(), told).await;
                }
                Err(problem) => away(&problem).await,
            }
        };
        let lists = async {
            match lists::Asked::new(settings, world) {
                Ok(asked) => {
                    let make = || self.lists.clone().keep(asked.clone(), self.manager.clone(), self.clock.clone(), arrivals.clone());
                    supervise(make, told).await;
                }
                Err(problem) => away(&problem).await,
            }
        };
        let tick = supervise(|| self.clone().tick(), told);
        tokio::join!(subscription, events, lists, tick);
    }

    async fn tick(self: Arc<Self>) {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        loop {
            let decisions = &self.manager.decisions;
            decisions.tick(millis(&*self.clock));
            self.series.waiting.set(count(self.outgoing.waiting()));
            self.series.decisions.set(count(decisions.throttled()));
            self.series.blocks.set(count(decisions.blocked()));
            self.series.templates.set(count(decisions.templates()));
            while self.series.dropped.get() < decisions.dropped() {
                self.series.dropped.inc();
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Judges what can be judged before a connection is made.
///
/// # Errors
/// What is wrong, where the configuration says it.
pub fn check(config: &Config, world: &Documents) -> Result<(), Problems> {
    let Some(settings) = &config.gateway.stores.traffic_manager else { return Ok(()) };
    let mut problems = Problems::default();
    let place = |name: &str| format!("/stores/traffic_manager/{name}");
    if let Err(problem) = tollgate_broker::check(&listening::settings(&settings.broker.clone().into())) {
        problems.push(blame(problem, config, "/stores/traffic_manager/broker", BROKER));
    }
    let urls =
        [("events", Some(&settings.events)), ("key_templates", settings.key_templates.as_ref()), ("blocks", settings.blocks.as_ref())];
    for (name, url) in urls.into_iter().filter_map(|(name, url)| Some((name, url?))) {
        if let Err(problem) = server(world, settings, url, publisher::LONGEST_ANSWER) {
            let name = if parse_url(url).is_err() { name } else { "ca" };
            problems.push(blame(problem, config, &place(name), &[]));
        }
    }
    let mut wrong = |name: &str, message: &str| problems.push(problem("stores.traffic_manager", message).at(config.file(), 0, place(name)));
    if settings.queue == 0 {
        wrong("queue", "expected room for at least one event, found 0");
    }
    if settings.timeout.0.is_zero() {
        wrong("timeout", "nothing can be done in no time");
    }
    if settings.retry.0.is_zero() {
        wrong("retry", "expected a pause between tries, found none");
    }
    if settings.password.is_some() && settings.username.is_none() {
        wrong("username", "expected a username beside the password, found none");
    }
    if settings.username.as_deref().is_some_and(|name| name.contains(':')) {
        wrong("username", "basic authentication allows no colon in a user name");
    }
    config.locate(&mut problems);
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

fn problem(code: &'static str, message: &str) -> Problem {
    Problem::error(code, message)
}

/// Waits until the settings are others.
async fn changed(stores: &mut watch::Receiver<Stores>, settings: &config::TrafficManager) {
    if stores.wait_for(|stores| stores.traffic_manager.as_ref() != Some(settings)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn server(world: &Documents, settings: &config::TrafficManager, url: &str, max_bytes: usize) -> Result<Arc<dyn Remote>, Problem> {
    world.remote(url, RemotePolicy { timeout: settings.timeout.0, max_bytes, ca: settings.ca.clone() })
}

/// The field with user name and password.
fn credentials(settings: &config::TrafficManager) -> Option<(HeaderName, HeaderValue)> {
    let name = settings.username.as_deref()?;
    let password = settings.password.as_ref().map_or("", |password| password.expose());
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))).ok()?;
    value.set_sensitive(true);
    Some((http::header::AUTHORIZATION, value))
}

fn millis(clock: &dyn Clock) -> u64 {
    let since = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn told(failure: &str) {
    log::error!("a task of the traffic manager is started again: {failure}");
}

/// A file that was there when the settings were checked. New settings, or a restart, try again.
async fn away(problem: &Problem) {
    log::error!("the traffic manager is not asked: {problem}");
    std::future::pending::<()>().await;
}
