//! Where endpoints are, looked up while the gateway runs.
//!
//! What is found is kept in a [`Directory`], which outlives reloads, and from there supplied to the groups in force. All of it happens on one
//! thread of its own: no request waits for it, and it waits for none. What was found last stays until something else is found; a value
//! that says no endpoint changes nothing.
//!
//! Does **not** protect against: somebody who may write what is looked up. Over the endpoints that he says go requests and what they hold.

mod directory;
mod dns;
mod entry;
mod etcd;
mod file;
mod lookup;
mod work;

use std::{
    io,
    pin::pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};
use tollgate_filter_api::{Counter, Gauge, LogLimiter, MetricDoc, Metrics};

pub use directory::{Directory, Found, Key};
pub use entry::Entry;
pub use lookup::{Lookup, lookup};

use super::inputs::supervisor::supervise;
use crate::config::Source;
use dns::Tended;
use etcd::Eye;
use work::Work;

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "discovery_connected", help: "1 while the etcd that says where endpoints are is followed." },
    MetricDoc {
        name: "discovery_contact_timestamp_seconds",
        help: "When that etcd last confirmed that everything was told, in seconds since 1970; 0 before the first time.",
    },
    MetricDoc { name: "discovery_changes_total", help: "Changes of a group's endpoints that were looked up and put in force." },
    MetricDoc {
        name: "discovery_refused",
        help: "Keys and prefixes that etcd does not let the gateway read; what is known of them stays.",
    },
    MetricDoc { name: "discovery_bad_values_total", help: "Values read that say no endpoint; the last good one stays." },
    MetricDoc { name: "discovery_bad_keys", help: "Keys whose value says no endpoint now." },
    MetricDoc { name: "discovery_held", help: "Places that have no endpoints any more, and whose last ones serve on." },
    MetricDoc { name: "discovery_dns_failures_total", help: "Look-ups of a name's endpoints that failed; the last answer is kept." },
    MetricDoc { name: "discovery_differences_total", help: "Changes that etcd had not told, found by reading everything again." },
];

/// How long traffic waits, from the start on, for what those say who are asked.
const FIRST_VIEW: Duration = Duration::from_secs(5);

/// How long a reload waits for the same.
const NEXT_VIEW: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(2);

/// Least time between two writings of the file.
const SAVE: Duration = Duration::from_secs(1);

/// Somebody whose endpoints are looked up.
pub trait Consumer: Send + Sync {
    /// Where they are looked up.
    fn sources(&self) -> &[Source];
    /// Takes what is known now. Says whether that changed anything.
    fn supply(&self, directory: &Directory) -> bool;
}

/// Looks up where endpoints are, for as long as the process lives.
pub struct Discovery {
    /// What is known.
    pub directory: Arc<Directory>,
    work: watch::Sender<Work>,
    eye: Arc<Eye>,
    metrics: Metrics,
    changes: Counter,
    held: Gauge,
    begun: OnceLock<Instant>,
}

impl Discovery {
    /// Nothing is looked up before [`start`](Self::start).
    pub fn new(metrics: &Metrics) -> Arc<Self> {
        let directory = Arc::<Directory>::default();
        Arc::new(Self {
            eye: Arc::new(Eye::new(directory.clone(), metrics)),
            directory,
            metrics: metrics.clone(),
            work: watch::Sender::new(Work::default()),
            changes: metrics.counter("discovery_changes_total", None),
            held: metrics.gauge("discovery_held", None),
            begun: OnceLock::new(),
        })
    }

    /// Begins with what a file has kept, if there is one that can be read.
    pub fn recall(&self, lookup: &Lookup) {
        if let Some(path) = &lookup.file
            && let Err(cause) = file::read(path, &self.directory)
        {
            log::error!("the last good endpoints cannot be read from `{}`, and nothing of it is used: {cause}", path.display());
        }
    }

    /// Waits a while until what these look up is known, and gives it to them, before they come into force. Those in force go on.
    pub fn prepare(self: &Arc<Self>, consumers: &[Arc<dyn Consumer>], lookup: &Lookup) {
        let (next, old) = (Work::of(consumers, lookup), self.work.borrow().clone());
        if !next.is_part_of(&old) {
            let both = next.beside(&old);
            self.work.send_replace(both.clone());
            if let Err(error) = self.start() {
                log::error!("endpoints are not looked up: {error}");
                return;
            }
            let begun = Instant::now();
            while !self.is_known(&both) && begun.elapsed() < NEXT_VIEW {
                std::thread::sleep(LOOK);
            }
        }
        for consumer in consumers {
            consumer.supply(&self.directory);
        }
    }

    fn is_known(&self, work: &Work) -> bool {
        work.etcd.as_ref().is_none_or(|asked| self.eye.has_listed(asked)) && work.names.iter().all(|name| self.directory.knows(name))
    }

    /// From now on, looks up for these.
    pub fn serve(&self, consumers: &[Arc<dyn Consumer>], lookup: &Lookup) {
        self.work.send_replace(Work::of(consumers, lookup));
        // What came after they were built.
        self.directory.touch();
    }

    /// Looks up from now on, on a new thread, if there is something to look up. May be called again.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        if !self.work.borrow().is_some() || self.begun.set(Instant::now()).is_err() {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let discovery = self.clone();
        let work = async move { tokio::join!(discovery.follow(), discovery.look_up(), discovery.clone().distribute(), discovery.keep()) };
        std::thread::Builder::new().name("discovery".to_owned()).spawn(move || runtime.block_on(work)).map(drop)
    }

    /// Mirrors etcd, with the settings of the day.
    async fn follow(&self) {
        let mut work = self.work.subscribe();
        loop {
            let etcd = work.borrow_and_update().etcd.clone();
            let mirroring = async {
                match &etcd {
                    Some(asked) => {
                        self.eye.asks(asked.clone());
                        let keys = asked.keys.iter().cloned().collect();
                        mirror(self.eye.clone(), etcd::settings(&asked.store, keys)).await;
                    }
                    None => self.eye.rest(),
                }
                std::future::pending::<()>().await;
            };
            let mut mirroring = pin!(mirroring);
            tokio::select! {
                () = &mut mirroring => {}
                changed = work.wait_for(|work| work.etcd != etcd) => if changed.is_err() { return },
            }
        }
    }

    /// Looks names up, those of the day.
    async fn look_up(&self) {
        let mut work = self.work.subscribe();
        loop {
            let (names, servers) = {
                let work = work.borrow_and_update();
                (work.names.clone(), work.servers.clone())
            };
            let mut tasks = JoinSet::new();
            for name in &names {
                let tended = Arc::new(Tended::new(name.clone(), servers.clone(), self.directory.clone(), &self.metrics));
                tasks.spawn(tend(tended));
            }
            if work.wait_for(|work| work.names != names || work.servers != servers).await.is_err() {
                return;
            }
        }
    }

    /// Hands what is found to those in force.
    async fn distribute(self: Arc<Self>) {
        let make = || {
            let discovery = self.clone();
            async move {
                loop {
                    discovery.directory.news.notified().await;
                    discovery.hand_out();
                }
            }
        };
        supervise(make, |failure| {
            log::error!("the task that hands out endpoints is started again: {failure}");
            self.directory.touch();
        })
        .await
    }

    /// Keeps what is known in the file.
    async fn keep(&self) {
        let (unsaved, mut kept) = (LogLimiter::default(), None);
        loop {
            self.directory.unsaved.notified().await;
            tokio::time::sleep(SAVE).await;
            let Some(path) = self.work.borrow().file.clone() else { continue };
            let next = (path, file::text(&self.directory));
            if kept.as_ref() == Some(&next) {
                continue;
            }
            let writing = next.clone();
            // The disk may take its time, and nobody waits for it.
            let written = tokio::task::spawn_blocking(move || file::write(&writing.0, &writing.1)).await;
            match written {
                Ok(Ok(())) => kept = Some(next),
                Ok(Err(error)) => {
                    if unsaved.allow(Instant::now()).is_some() {
                        log::error!("the last good endpoints cannot be kept in `{}`: {error}", next.0.display());
                    }
                    self.directory.unsaved.notify_one();
                }
                Err(error) => log::error!("the last good endpoints were not kept: {error}"),
            }
        }
    }

    /// What traffic waits for; nothing any more when the start is some seconds ago.
    pub fn missing(&self) -> Option<&'static str> {
        let waits = self.begun.get().is_none_or(|begun| begun.elapsed() < FIRST_VIEW);
        if !waits {
            return None;
        }
        let work = self.work.borrow();
        if work.etcd.is_some() && !self.directory.is_listed() {
            return Some("the endpoints that etcd holds were not read yet");
        }
        let unknown = work.names.iter().any(|name| !self.directory.knows(name));
        unknown.then_some("a name whose records are endpoints was not looked up yet")
    }

    fn hand_out(&self) {
        let consumers = self.work.borrow().consumers.clone();
        let (held, changed) = self.directory.settle(consumers.iter().flat_map(|consumer| consumer.sources()));
        self.held.set(etcd::count(held));
        for consumer in consumers.iter().filter(|consumer| consumer.sources().iter().any(|source| changed.touches(source))) {
            if consumer.supply(&self.directory) {
                self.changes.inc();
            }
        }
    }
}

/// Tends a name for ever; a failure of the task is told and survived.
async fn tend(tended: Arc<Tended>) {
    let make = || {
        let tended = tended.clone();
        async move { tended.run().await }
    };
    supervise(make, |failure| log::error!("the task that looks a name up is started again: {failure}")).await;
}

/// Mirrors for ever; a failure of the task is told and survived.
async fn mirror(eye: Arc<Eye>, settings: tollgate_etcd::Settings) {
    use tollgate_etcd::Mirror;
    let make = || tollgate_etcd::run(settings.clone(), eye.clone(), std::future::pending());
    let failed = |failure: &str| {
        log::error!("the task that reads etcd is started again: {failure}");
        eye.lost("the task that reads etcd failed");
    };
    if let Err(problem) = supervise(make, failed).await {
        // A file that was there when the settings were checked. New settings, or a restart, try again.
        log::error!("etcd is not read: {problem}");
        eye.lost(&problem.to_string());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
