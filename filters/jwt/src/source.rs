//! One place that keys come from, and what it said last.
//!
//! Content that cannot be read, or in which no key can be used, does not take the place of the keys before it: it is a fault of whoever
//! publishes, and the next fetch may mend it. Until then those keys age. A key that cannot be used is left out alone, and told once.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use tollgate_filter_api::{Counter, Document, Gauge, Metrics};
use tollgate_jose::{Dropped, Format, Key, KeySet, parse};

/// Keys that were told to be left out are remembered in this number: as many as two versions of a set may have.
const LOGGED: usize = 128;

/// One place that keys come from.
pub(crate) struct Source {
    /// Its content.
    pub document: Arc<dyn Document>,
    /// How to read it.
    pub format: Format,
    /// Where it is, for the log.
    pub place: String,
}

/// Series of one issuer.
pub(crate) struct Meters {
    /// Usable keys.
    pub keys: Gauge,
    /// Versions that did not take the place of the one before.
    pub unreadable: Counter,
    /// Refreshes asked for because of a token.
    pub refreshes: Counter,
    /// Keys that were left out are counted here, by why.
    pub metrics: Metrics,
}

/// What is known of a source's content.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Number of the version looked at last.
    pub seen: u64,
    /// Keys of the last version that could be used; never none.
    pub keys: Option<Arc<[Arc<Key>]>>,
    /// When the source last confirmed them, as far as was seen.
    pub confirmed: Option<Instant>,
    /// Why the last version is not in use.
    broken: Option<String>,
    /// Keys that were logged as left out.
    logged: VecDeque<Dropped>,
}

impl Loaded {
    /// Reads the content when it is another than last time.
    pub(crate) fn look(&mut self, source: &Source, meters: &Meters) {
        let version = source.document.version();
        let number = version.as_ref().map_or(0, |version| version.number);
        if number != std::mem::replace(&mut self.seen, number) {
            let read = version.map(|version| parse(source.format, &version.bytes));
            match read.unwrap_or(Err(tollgate_jose::Unreadable::NotASet)) {
                Ok(set) => self.take(set, source, meters),
                Err(why) => self.keep(why.to_string(), source, meters),
            }
        }
        if self.broken.is_none() {
            self.confirmed = source.document.confirmed();
        }
    }

    /// Why there are no keys.
    pub(crate) fn why(&self) -> &str {
        self.broken.as_deref().unwrap_or("it was not read yet")
    }

    fn take(&mut self, set: KeySet, source: &Source, meters: &Meters) {
        for dropped in set.dropped {
            meters.metrics.counter("jwt_keys_dropped_total", Some(("why", dropped.why.kind()))).inc();
            self.tell(dropped, source);
        }
        if set.keys.is_empty() {
            return self.keep("no key in it can verify a token".to_owned(), source, meters);
        }
        if self.broken.take().is_some() {
            log::info!("{}: the keys can be read again", source.place);
        }
        self.keys = Some(set.keys);
    }

    fn keep(&mut self, why: String, source: &Source, meters: &Meters) {
        meters.unreadable.inc();
        if self.broken.as_ref() != Some(&why) {
            let rest = if self.keys.is_some() { "the keys before it stay in use until `max_age`" } else { "there are no keys before it" };
            log::warn!("{}: {why}; {rest}, and it is fetched again", source.place);
        }
        self.broken = Some(why);
    }

    /// Once for each key, however often the set comes again.
    fn tell(&mut self, dropped: Dropped, source: &Source) {
        if self.logged.iter().any(|logged| logged.is_same(&dropped)) {
            return;
        }
        log::warn!("{}: {dropped}; it is left out", source.place);
        if self.logged.len() == LOGGED {
            self.logged.pop_front();
        }
        self.logged.push_back(dropped);
    }
}
