//! The outside world, handed in: clock, documents from files and URLs, things to share, metrics.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;

use crate::{Declared, Problem, Readiness, Remote, RemotePolicy, Revocations, View};

/// The time. Filters ask this one and no other.
pub trait Clock: Send + Sync {
    /// Wall-clock time, for comparison with times that others wrote down, such as `exp`. An operator or NTP may step it, so it measures
    /// no age.
    fn now(&self) -> SystemTime;
    /// A clock that never steps, for ages. It stands still while the machine is suspended.
    fn instant(&self) -> Instant;
    /// Both, now.
    fn moment(&self) -> Moment {
        Moment { wall: self.now(), instant: self.instant() }
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For comparison with times that others wrote down.
    pub wall: SystemTime,
    /// For ages.
    pub instant: Instant,
}

impl Moment {
    /// The moment at which a wall-clock time comes, unless that clock is stepped; now, for a time that has passed or that no clock can
    /// hold.
    pub fn when(&self, wall: SystemTime) -> Instant {
        let left = wall.duration_since(self.wall).unwrap_or_default();
        self.instant.checked_add(left).unwrap_or(self.instant)
    }
}

/// Where a document lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A file; relative paths are relative to the configuration file.
    File(PathBuf),
    /// An `http` or `https` URL. Certificates are verified, redirects are not followed.
    Url(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// How a document is kept fresh.
#[derive(Clone, Copy, Debug)]
pub struct DocumentPolicy {
    /// Time between two regular fetches.
    pub refresh: Duration,
    /// Least time between two fetches, whoever asks.
    pub least_gap: Duration,
    /// Time one fetch may take.
    pub timeout: Duration,
    /// Largest document.
    pub max_bytes: usize,
}

/// A document's content.
#[derive(Clone, Debug)]
pub struct Version {
    /// Counts up with each change of the content; never 0.
    pub number: u64,
    /// The bytes.
    pub bytes: Bytes,
}

/// A document that is fetched in the background; the last good content stays when a fetch fails.
pub trait Document: Send + Sync {
    /// Number of the current content; 0 before the first fetch succeeded. Costs one atomic load.
    fn number(&self) -> u64;
    /// The current content.
    fn version(&self) -> Option<Arc<Version>>;
    /// When the source last confirmed the content.
    fn confirmed(&self) -> Option<Instant>;
    /// Asks for a fetch now. All who ask share one fetch, and none is made within the policy's least gap; the future ends
    /// when the fetch does, at once when there is none.
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What [`World::judge`] comes to: the answer, or `None` when too much is asked already.
pub type Judgement = Pin<Box<dyn Future<Output = Option<bool>> + Send>>;

/// What the gateway, or a test, offers to filters.
pub trait World: Send + Sync {
    /// Keeps a document at hand.
    ///
    /// # Errors
    /// When the location is not allowed, or a file cannot be read.
    fn document(&self, location: &Location, policy: DocumentPolicy) -> Result<Arc<dyn Document>, Problem>;

    /// A server that is asked during requests.
    ///
    /// # Errors
    /// When the URL is not allowed.
    fn remote(&self, url: &str, _policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        Err(Problem::error("world.remote", format!("nothing here can ask `{url}`")))
    }

    /// As [`World::remote`], over HTTP/2. The fields of an answer are those of its head and of its trailers.
    ///
    /// # Errors
    /// When the URL is not allowed.
    fn remote_http2(&self, url: &str, _policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        Err(Problem::error("world.remote", format!("nothing here can ask `{url}` over HTTP/2")))
    }

    /// Answers a question that takes the processor for long, such as the hash of a password, on a thread that serves no requests.
    /// How many run and wait is bounded. A world without threads answers at once.
    fn judge(&self, work: Box<dyn FnOnce() -> bool + Send>) -> Judgement {
        let answer = work();
        Box::pin(std::future::ready(Some(answer)))
    }

    /// The list of what was revoked. There is one, whoever fills it.
    ///
    /// # Errors
    /// When there is none.
    fn revocations(&self) -> Result<View<Arc<dyn Revocations>>, Problem> {
        Err(Problem::error("world.revocations", "there is no revocation list here"))
    }
}

/// Everything a filter may hold on to when it is built. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Documents and, later, stores.
    pub world: Arc<dyn World>,
    /// Things of which there must be one for many operations, and which outlive a reload.
    pub shared: Shared,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// What must be at hand before traffic may come.
    pub readiness: Readiness,
    /// What the project says to the filter once, for all its operations.
    pub declared: Declared,
}

impl Env {
    /// Does work that takes the processor for long, as [`World::judge`] does; `None` when too much is asked already and it was not done.
    pub async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let place = Arc::new(Mutex::new(None));
        let theirs = place.clone();
        let job = move || {
            let made = work();
            *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
            true
        };
        self.world.judge(Box::new(job)).await;
        place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}

type Slot = Weak<dyn Any + Send + Sync>;

/// A registry of shared things by name. It does not keep them alive: the last user's drop ends them.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<HashMap<String, Slot>>>);

impl Shared {
    /// The thing of that name, made now when there is none.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get_or_make<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> Result<T, Problem>) -> Result<Arc<T>, Problem> {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let made = Arc::new(make()?);
        self.offer(key, &made);
        Ok(made)
    }

    /// Offers a thing under a name from now on, as long as somebody keeps it.
    pub fn offer<T: Send + Sync + 'static>(&self, key: &str, thing: &Arc<T>) {
        let slot: Arc<dyn Any + Send + Sync> = thing.clone();
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.strong_count() > 0);
        slots.insert(key.to_owned(), Arc::downgrade(&slot));
    }

    fn get<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(key)?.upgrade()?.downcast().ok()
    }
}

/// Counts up.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// So many by now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// The value is this now.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// So much more, or less.
    pub fn add(&self, more: i64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
}

/// Name and one label of a series.
type SeriesKey = (&'static str, Option<(&'static str, String)>);

/// Counters and gauges by name, with at most one label whose values come from configuration.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<SeriesKey, Series>>>);

impl Metrics {
    /// The counter of that name and label; always the same one.
    pub fn counter(&self, name: &'static str, label: Option<(&'static str, &str)>) -> Counter {
        let series = self.entry(name, label, || Series::Counter(Counter::default()));
        match series {
            Series::Counter(counter) => counter,
            Series::Gauge(_) => Counter::default(),
        }
    }

    /// The gauge of that name and label; always the same one.
    pub fn gauge(&self, name: &'static str, label: Option<(&'static str, &str)>) -> Gauge {
        let series = self.entry(name, label, || Series::Gauge(Gauge::default()));
        match series {
            Series::Gauge(gauge) => gauge,
            Series::Counter(_) => Gauge::default(),
        }
    }

    /// Every series: name, label, value, and whether it only counts up.
    pub fn read(&self, mut each: impl FnMut(&'static str, Option<(&'static str, &str)>, f64, bool)) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, label), series) in all.iter() {
            let label = label.as_ref().map(|(key, value)| (*key, value.as_str()));
            match series {
                Series::Counter(counter) => each(name, label, counter.get() as f64, true),
                Series::Gauge(gauge) => each(name, label, gauge.get() as f64, false),
            }
        }
    }

    fn entry(&self, name: &'static str, label: Option<(&'static str, &str)>, make: fn() -> Series) -> Series {
        let key = (name, label.map(|(key, value)| (key, value.to_owned())));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert_with(make).clone()
    }
}
