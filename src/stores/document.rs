//! One document: its content, when it is fetched next, and who waits for that.
//!
//! There is at most one fetch at a time, and it belongs to the background: a request that goes away takes no fetch with
//! it. After failures the next regular fetch comes later and later, never later than the regular time.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hyper::header::HeaderValue;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tollgate_filter_api::{Clock, Counter, Document, DocumentPolicy, Gauge, Metrics, Version};
use tollgate_url::Url;

use super::{
    file::{self, Stamp},
    http::{Client, Fetched},
    jittered,
    tended::{Tended, lock},
};

/// First pause after a failure; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

pub(super) enum Origin {
    File(PathBuf),
    Url(Url, Client),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(target, _) => write!(f, "{target}"),
        }
    }
}

/// What names the version we have towards its origin.
#[derive(Clone, Default)]
enum Tag {
    #[default]
    None,
    Stamp(Stamp),
    Etag(HeaderValue),
}

struct Schedule {
    due: Instant,
    began: Option<Instant>,
    failures: u32,
    wanted: bool,
    in_flight: bool,
    tag: Tag,
    confirmed: Option<std::time::Instant>,
}

pub(super) struct Entry {
    origin: Origin,
    policy: DocumentPolicy,
    number: AtomicU64,
    content: ArcSwapOption<Version>,
    schedule: Mutex<Schedule>,
    attempts: watch::Sender<u64>,
    wake: Arc<Notify>,
    running: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    series: Series,
}

struct Series {
    fetches: Counter,
    failures: Counter,
    confirmed: Gauge,
}

impl Series {
    fn new(metrics: &Metrics, document: &str) -> Self {
        let label = Some(("document", document));
        Self {
            fetches: metrics.counter("document_fetches_total", label),
            failures: metrics.counter("document_fetch_failures_total", label),
            confirmed: metrics.gauge("document_confirmed_timestamp_seconds", label),
        }
    }
}

impl Entry {
    pub(super) fn new(origin: Origin, policy: DocumentPolicy, clock: Arc<dyn Clock>, metrics: &Metrics, running: Arc<AtomicBool>) -> Self {
        let series = Series::new(metrics, &origin.to_string());
        let schedule =
            Schedule { due: Instant::now(), began: None, failures: 0, wanted: false, in_flight: false, tag: Tag::None, confirmed: None };
        Self {
            origin,
            policy,
            number: AtomicU64::new(0),
            content: ArcSwapOption::empty(),
            schedule: Mutex::new(schedule),
            attempts: watch::Sender::new(0),
            wake: Arc::default(),
            running,
            clock,
            series,
        }
    }

    /// Whether a fetch was tried, with whatever result.
    pub(super) fn tried(&self) -> bool {
        *self.attempts.borrow() > 0
    }

    /// Reads a file now; does nothing for a URL.
    pub(super) fn read_file(&self) -> Result<(), std::io::Error> {
        let Origin::File(path) = &self.origin else { return Ok(()) };
        // Two threads may read at the same time; the lock of `finish` puts their results in order.
        lock(&self.schedule).began = Some(Instant::now());
        let known = match &lock(&self.schedule).tag {
            Tag::Stamp(stamp) => Some(*stamp),
            _ => None,
        };
        let read = file::read(path, known, self.policy.max_bytes);
        let failure = read.as_ref().err().map(|error| std::io::Error::new(error.kind(), error.to_string()));
        self.finish(read.map(|new| new.map(|(bytes, stamp)| (bytes, Tag::Stamp(stamp)))).map_err(|error| error.to_string()));
        failure.map_or(Ok(()), Err)
    }

    async fn fetch(self: &Arc<Self>) {
        let (target, client) = match &self.origin {
            Origin::Url(target, client) => (target, client),
            Origin::File(_) => {
                let entry = self.clone();
                let read = tokio::task::spawn_blocking(move || entry.read_file()).await;
                if read.is_err() {
                    self.finish(Err("the reader was stopped".to_owned()));
                }
                return;
            }
        };
        let known = match &lock(&self.schedule).tag {
            Tag::Etag(etag) => Some(etag.clone()),
            _ => None,
        };
        let answer = client.get(target, known.as_ref(), self.policy.timeout, self.policy.max_bytes).await;
        self.finish(match answer {
            Ok(Fetched::Same) => Ok(None),
            Ok(Fetched::New(bytes, etag)) => Ok(Some((bytes, etag.map_or(Tag::None, Tag::Etag)))),
            Err(error) => Err(error.to_string()),
        });
    }

    /// Takes the result in, plans the next fetch, and tells who waits.
    fn finish(&self, result: Result<Option<(Bytes, Tag)>, String>) {
        self.series.fetches.inc();
        let mut schedule = lock(&self.schedule);
        match result {
            Ok(new) => {
                if let Some((bytes, tag)) = new {
                    schedule.tag = tag;
                    self.store(bytes);
                }
                if schedule.failures > 0 {
                    log::info!("{}: fetched again after {} failures", self.origin, schedule.failures);
                }
                schedule.failures = 0;
                let now = self.clock.moment();
                schedule.confirmed = Some(now.instant);
                let seconds = now.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
                self.series.confirmed.set(i64::try_from(seconds).unwrap_or(i64::MAX));
                schedule.due = Instant::now() + jittered(self.policy.refresh);
            }
            Err(cause) => {
                self.series.failures.inc();
                schedule.failures = schedule.failures.saturating_add(1);
                let pause = pause(schedule.failures, &self.policy);
                log::warn!("{}: {cause}; failure {}, next try in {pause:.1?}", self.origin, schedule.failures);
                schedule.due = Instant::now() + pause;
            }
        }
        schedule.wanted = false;
        schedule.in_flight = false;
        drop(schedule);
        self.attempts.send_modify(|attempts| *attempts += 1);
    }

    fn store(&self, bytes: Bytes) {
        let old = self.content.load();
        if old.as_ref().is_some_and(|old| old.bytes == bytes) {
            return;
        }
        let number = old.as_ref().map_or(0, |old| old.number) + 1;
        self.content.store(Some(Arc::new(Version { number, bytes })));
        self.number.store(number, Ordering::Release);
    }
}

/// Time until the next regular fetch after so many failures in a row.
fn pause(failures: u32, policy: &DocumentPolicy) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    jittered(doubled.min(policy.refresh)).max(policy.least_gap)
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

impl Tended for Entry {
    fn due(&self) -> Instant {
        let schedule = lock(&self.schedule);
        match (schedule.wanted, schedule.began) {
            (true, Some(began)) => schedule.due.min(began + self.policy.least_gap),
            _ => schedule.due,
        }
    }

    fn wake(&self) -> Arc<Notify> {
        self.wake.clone()
    }

    async fn tend(self: Arc<Self>) {
        {
            let mut schedule = lock(&self.schedule);
            schedule.began = Some(Instant::now());
            schedule.in_flight = true;
        }
        self.fetch().await;
    }
}

impl Document for Entry {
    fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    fn version(&self) -> Option<Arc<Version>> {
        self.content.load_full()
    }

    fn confirmed(&self) -> Option<std::time::Instant> {
        lock(&self.schedule).confirmed
    }

    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut attempts = self.attempts.subscribe();
        {
            let mut schedule = lock(&self.schedule);
            let recent = schedule.began.is_some_and(|began| began.elapsed() < self.policy.least_gap);
            let idle = !self.running.load(Ordering::Acquire);
            if idle || (recent && !schedule.in_flight) {
                return Box::pin(std::future::ready(()));
            }
            schedule.wanted = true;
        }
        self.wake.notify_one();
        // The background may be stopped while we wait.
        let longest = self.policy.timeout + Duration::from_secs(1);
        Box::pin(async move {
            let _ = tokio::time::timeout(longest, attempts.changed()).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_regular_time_and_never_undercut_the_gap() {
        let policy = DocumentPolicy {
            refresh: Duration::from_secs(60),
            least_gap: Duration::from_secs(2),
            timeout: Duration::from_secs(3),
            max_bytes: 1,
        };
        assert_eq!(pause(1, &policy), Duration::from_secs(2));
        let fourth = pause(4, &policy);
        assert!(fourth >= Duration::from_millis(6400) && fourth <= Duration::from_secs(8), "{fourth:?}");
        let last = pause(u32::MAX, &policy);
        assert!(last >= Duration::from_secs(48) && last <= Duration::from_secs(60), "{last:?}");
    }
}
