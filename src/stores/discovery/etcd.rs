//! etcd, as far as it says where endpoints are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tollgate_etcd::{ClientCertificate, Full, Keys, Mirror, Refused, Settings};
use tollgate_filter_api::{Counter, Gauge, LogLimiter, Metrics};

use super::{
    directory::{By, Directory, Key},
    entry::{Bad, Entry, read},
    work::Asked,
};
use crate::config::DiscoveryStore;

/// Longest wait before etcd is asked again: when it has recovered, nothing is to be older than a second.
const LONGEST_WAIT: Duration = Duration::from_millis(500);
/// Most keys.
const MOST_KEYS: usize = 200_000;

/// What the client wants to know.
pub(super) fn settings(store: &DiscoveryStore, keys: Vec<Keys>) -> Settings {
    let mut settings = Settings::new(store.endpoints.clone(), keys);
    settings.username.clone_from(&store.username);
    settings.password.clone_from(&store.password);
    settings.ca.clone_from(&store.ca);
    settings.client_certificate =
        store.client_certificate.as_ref().map(|pair| ClientCertificate { certificate: pair.certificate.clone(), key: pair.key.clone() });
    settings.relist = store.relist.0;
    settings.heartbeat = store.heartbeat.0;
    settings.longest_wait = LONGEST_WAIT;
    settings
}

/// Writes down what etcd says, and what of it is bad.
pub(super) struct Eye {
    directory: Arc<Directory>,
    listing: Mutex<BTreeMap<String, Option<Arc<[Entry]>>>>,
    /// What is asked for now, and whether that was listed.
    asked: Mutex<Option<(Arc<Asked>, bool)>>,
    /// What the listing is without.
    without: Mutex<Vec<Keys>>,
    /// Keys whose value is bad.
    bad: Mutex<BTreeSet<String>>,
    followed: AtomicBool,
    there: AtomicBool,
    connected: Gauge,
    contact: Gauge,
    refused: Gauge,
    bad_keys: Gauge,
    bad_values: Counter,
    differences: Counter,
    arrivals: LogLimiter,
    losses: LogLimiter,
    complaints: LogLimiter,
}

impl Eye {
    pub(super) fn new(directory: Arc<Directory>, metrics: &Metrics) -> Self {
        Self {
            directory,
            listing: Mutex::default(),
            asked: Mutex::default(),
            without: Mutex::default(),
            bad: Mutex::default(),
            followed: AtomicBool::new(false),
            there: AtomicBool::new(false),
            connected: metrics.gauge("discovery_connected", None),
            contact: metrics.gauge("discovery_contact_timestamp_seconds", None),
            refused: metrics.gauge("discovery_refused", None),
            bad_keys: metrics.gauge("discovery_bad_keys", None),
            bad_values: metrics.counter("discovery_bad_values_total", None),
            differences: metrics.counter("discovery_differences_total", None),
            arrivals: LogLimiter::default(),
            losses: LogLimiter::default(),
            complaints: LogLimiter::default(),
        }
    }

    /// What a key says; `None` when that is bad, which is told once.
    fn read(&self, key: &[u8], value: &[u8]) -> (String, Option<Arc<[Entry]>>) {
        let name = String::from_utf8_lossy(key).into_owned();
        let read = if name.as_bytes() == key { read(value) } else { Err(Bad::Text) };
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        match &read {
            Ok(_) => drop(bad.remove(&name)),
            Err(complaint) => {
                self.bad_values.inc();
                bad.insert(name.clone());
                if self.complaints.allow(Instant::now()).is_some() {
                    log::warn!("{}: its value is bad, and the last good one stays: {complaint}", Key::Etcd(name.as_str().into()));
                }
            }
        }
        self.bad_keys.set(count(bad.len()));
        (name, read.ok())
    }

    fn forget_bad(&self, still: impl Fn(&str) -> bool) {
        let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        bad.retain(|key| still(key));
        self.bad_keys.set(count(bad.len()));
    }

    /// From now on, something else is asked for.
    pub(super) fn asks(&self, asked: Arc<Asked>) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, false));
    }

    /// Whether this is what is asked for, and was listed.
    pub(super) fn has_listed(&self, wanted: &Asked) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_ref().is_some_and(|(asked, listed)| *listed && **asked == *wanted)
    }

    fn heard(&self) {
        self.connected.set(1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.contact.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        if !self.there.swap(true, Ordering::Relaxed) && self.arrivals.allow(Instant::now()).is_some() {
            log::info!("the etcd that says where endpoints are is there");
        }
    }

    /// Nobody is asked any more.
    pub(super) fn rest(&self) {
        self.connected.set(0);
        self.there.store(false, Ordering::Relaxed);
    }
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Mirror for Eye {
    fn without(&self, refused: &[Refused]) {
        let mut without = self.without.lock().unwrap_or_else(PoisonError::into_inner);
        for Refused { keys, why } in refused.iter().filter(|refused| !without.contains(&refused.keys)) {
            log::error!("etcd does not let `{}` be read, and what is known of it stays: {why}", keys.beginning().escape_debug());
        }
        *without = refused.iter().map(|refused| refused.keys.clone()).collect();
        self.refused.set(count(without.len()));
    }

    fn begin(&self) {
        self.listing.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn listed(&self, key: &[u8], value: &[u8]) {
        let (key, entries) = self.read(key, value);
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        // One more shows that it is too many.
        if listing.len() <= MOST_KEYS {
            listing.insert(key, entries);
        }
    }

    fn replace(&self, _: i64, comparable: bool) -> Result<(), Full> {
        let listing = std::mem::take(&mut *self.listing.lock().unwrap_or_else(PoisonError::into_inner));
        if listing.len() > MOST_KEYS {
            return Err(Full(format!("more than {MOST_KEYS} keys say where endpoints are")));
        }
        self.forget_bad(|key| listing.contains_key(key));
        let without = self.without.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let news = self.directory.replace(listing, without);
        if let Some((_, listed)) = &mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner) {
            *listed = true;
        }
        if self.followed.swap(true, Ordering::Relaxed) && comparable && news > 0 {
            (0..news).for_each(|_| self.differences.inc());
            log::warn!("etcd had not told {news} changes of endpoints; they are in force now");
        }
        self.heard();
        Ok(())
    }

    fn put(&self, key: &[u8], value: &[u8], _: i64) {
        if let (key, Some(entries)) = self.read(key, value) {
            self.directory.put(Key::Etcd(key.into()), entries, By::Etcd);
        }
    }

    fn delete(&self, key: &[u8], _: i64) {
        let key = String::from_utf8_lossy(key);
        self.forget_bad(|bad| bad != key);
        self.directory.delete(&Key::Etcd(key.into()));
    }

    fn complete(&self, _: i64) {
        self.heard();
    }

    fn lost(&self, cause: &str) {
        self.rest();
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("the etcd that says where endpoints are is away, and the last good ones serve: {cause}");
        }
    }
}
