//! What the filter `throttle` counts and whom it blocks, kept over a restart and tended beside requests.
//!
//! A process that is killed, or that hands over to another one, forgets what it counted since it wrote its file last.

mod shared;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::watch;
use tollgate_counters::Counters;
use tollgate_filter_api::{Clock, Env, Gauge, LogLimiter, MetricDoc, Problem, Problems};
use tollgate_throttling::{Kept, NAME, Throttling, moment};

use super::inputs::blame;
use crate::config::{self, Config};

/// How often counters whose time is over are let go of, a part of them, and the blocks' file is looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often what is noted of who uses most fades.
const FADE: Duration = Duration::from_secs(60);

/// How many of those who use most are shown.
const SHOWN: usize = 50;

/// How often the counters are written, unless writing takes a good part of that.
const SAVE: Duration = Duration::from_secs(10);

pub use shared::METRICS as SHARED;
use shared::Shared;

/// The series written here.
pub const METRICS: &[MetricDoc] = &[MetricDoc { name: "throttle_keys", help: "Counters in use." }];

/// The counters and blocks of the process.
pub struct Quotas {
    /// What filters use.
    pub throttling: Arc<Throttling>,
    shared: Option<Arc<Shared>>,
    file: Option<PathBuf>,
    /// The last writing before the end may meet one that was begun before.
    writing: Mutex<()>,
    clock: Arc<dyn Clock>,
    keys: Gauge,
    /// Another process counts from here on.
    handed_over: AtomicBool,
}

impl Quotas {
    /// What the files hold, and offers it to filters.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(config: &Config, env: &Env) -> Result<Self, Problems> {
        let stores = &config.gateway.stores;
        let (now, max_keys) = (moment(env.clock.moment()), stores.counters.max_keys);
        if max_keys == 0 {
            return Err(wrong(
                config,
                "/stores/counters/max_keys",
                "without a counter nothing can be counted; leave it out for 10 million",
            ));
        }
        let counters = match &stores.counters.file {
            None => Counters::new(now, max_keys),
            Some(path) => Counters::load_file(now, max_keys, path)
                .map_err(|error| wrong(config, "/stores/counters/file", &format!("`{}` {error}", path.display())))?,
        };
        let blocks = stores.blocks.as_deref().map_or_else(|| Ok(Kept::nowhere()), Kept::open);
        let blocks = blocks.map_err(|error| wrong(config, "/stores/blocks", &error.to_string()))?;
        let counters = Arc::new(counters);
        let shared = stores.redis.as_ref().map(|redis| shared(config, redis, counters.clone(), env)).transpose()?;
        let throttling = Throttling::new(counters, blocks);
        let throttling = match &shared {
            Some(shared) => throttling.sharing(shared.clone()),
            None => throttling,
        };
        let throttling = Arc::new(if stores.counters.file.is_some() { throttling.keeping_long() } else { throttling });
        env.shared.offer(NAME, &throttling);
        Ok(Self {
            throttling,
            shared,
            file: stores.counters.file.clone(),
            writing: Mutex::default(),
            clock: env.clock.clone(),
            keys: env.metrics.gauge("throttle_keys", None),
            handed_over: AtomicBool::new(false),
        })
    }

    /// How many counters there are, and who uses most.
    pub fn show(&self) -> Value {
        let counters = &self.throttling.counters;
        json!({ "keys": counters.keys(), "bytes": counters.bytes(), "top": self.throttling.top.lines(SHOWN) })
    }

    /// Asks the store of shared quotas from now on.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(&self) -> io::Result<()> {
        self.shared.as_ref().map_or(Ok(()), Shared::start)
    }

    /// Warns of what a restart forgets.
    ///
    /// # Errors
    /// When blocks are kept that no filter enforces, or there is a store of shared quotas and no policy is shared.
    pub fn check(&self, config: &Config) -> Result<(), Problems> {
        for policy in self.throttling.take_forgotten() {
            log::warn!(
                "the policy `{policy}` counts for a day or more, and a restart forgets what it counted: name a file with `stores.counters.file`"
            );
        }
        if self.throttling.blocks.can_change() && !self.throttling.is_used() {
            return Err(wrong(config, "/stores/blocks", "no filter of the chain enforces blocks; add one that does, or leave this out"));
        }
        if self.shared.is_some() && !self.throttling.is_store_used() {
            let message =
                "no policy is shared, so each gateway would count for itself; set `shared` in the filter `throttle`, or leave this out";
            return Err(wrong(config, "/stores/redis", message));
        }
        Ok(())
    }

    /// Tends them until the task is dropped. When `handed_over` turns true, another process counts from then on.
    pub async fn attend(self: Arc<Self>, mut handed_over: watch::Receiver<bool>) {
        let (mut saved, mut pause, mut faded) = (Instant::now(), SAVE, Instant::now());
        let (unreadable, unsaved) = (LogLimiter::default(), LogLimiter::default());
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = leaving(&mut handed_over), if !self.is_handed_over() => {
                    self.save(&unsaved).await;
                    self.handed_over.store(true, Ordering::Relaxed);
                }
            }
            let quotas = self.clone();
            let tended = tokio::task::spawn_blocking(move || quotas.tend()).await;
            if let Ok(Err(error)) = tended
                && unreadable.allow(Instant::now()).is_some()
            {
                log::error!("{error}; the blocks that it had stay in force");
            }
            if faded.elapsed() >= FADE {
                self.throttling.top.fade();
                faded = Instant::now();
            }
            if saved.elapsed() >= pause {
                let begun = Instant::now();
                self.save(&unsaved).await;
                (saved, pause) = (Instant::now(), SAVE.max(begun.elapsed() * 10));
            }
        }
    }

    /// Writes the counters for the next process, at the end of this one.
    pub fn close(&self) {
        if let Err(error) = self.write() {
            log::error!("{error}");
        }
    }

    fn tend(&self) -> Result<bool, tollgate_throttling::ChangeError> {
        let counters = &self.throttling.counters;
        counters.tick(moment(self.clock.moment()));
        self.keys.set(i64::try_from(counters.keys()).unwrap_or(i64::MAX));
        self.throttling.blocks.follow()
    }

    async fn save(self: &Arc<Self>, unsaved: &LogLimiter) {
        let quotas = self.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || quotas.write()).await
            && unsaved.allow(Instant::now()).is_some()
        {
            log::error!("{error}");
        }
    }

    fn write(&self) -> Result<(), String> {
        let Some(path) = self.file.as_ref().filter(|_| !self.is_handed_over()) else { return Ok(()) };
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = self.throttling.counters.save_file(moment(self.clock.moment()), path);
        saved.map(drop).map_err(|error| format!("the counters cannot be kept in `{}`: {error}; a restart forgets them", path.display()))
    }

    fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }
}

async fn leaving(handed_over: &mut watch::Receiver<bool>) {
    if handed_over.wait_for(|over| *over).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn shared(config: &Config, redis: &config::Redis, counters: Arc<Counters>, env: &Env) -> Result<Arc<Shared>, Problems> {
    if redis.cluster && redis.sentinel.is_some() {
        return Err(wrong(
            config,
            "/stores/redis/cluster",
            "the URLs are nodes of a cluster or sentinels, not both; leave one of them out",
        ));
    }
    let settings = shared::settings(redis);
    tollgate_lender::check(&settings).map_err(|problem| {
        let mut problems = Problems::from(blame(problem, config, "/stores/redis", shared::FIELDS));
        config.locate(&mut problems);
        problems
    })?;
    Ok(Shared::new(settings, counters, &env.metrics))
}

fn wrong(config: &Config, pointer: &str, message: &str) -> Problems {
    let mut problems = Problems::from(Problem::error("stores.quotas", message).at(config.file(), 0, pointer));
    config.locate(&mut problems);
    problems
}
