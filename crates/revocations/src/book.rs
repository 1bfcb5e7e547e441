//! The list with its inputs and its journal: what the gateway holds, one for the life of the process.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};
use tollgate_filter_api::{Clock, MetricDoc, Metrics, Moment, Principal, Revocations, RevokedBy, Standing};

use crate::{
    Feed, Full, Input, Journal, JournalError, JournalState, List, Seed, Statement, entry::Entry, feed::seconds, past::Past, shard::Change,
};

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "revocation_entries", help: "Entries of the revocation list, by the input that said them." },
    MetricDoc {
        name: "revocation_age_seconds",
        help: "How long ago the input's view was last known to be complete; -1 when it never was, or is known not to be.",
    },
    MetricDoc { name: "revocation_connected", help: "1 while the input is there." },
    MetricDoc { name: "revocation_sequence", help: "The input's own number up to which everything is in force." },
    MetricDoc { name: "revocation_bad_entries_total", help: "Entries and messages that could not be understood and were left out." },
    MetricDoc {
        name: "revocation_gaps_total",
        help: "Times after which something may have been said that was not heard, as when a subscription is not durable.",
    },
    MetricDoc { name: "revocation_restarts_total", help: "Times the task that listens to the input failed and was started again." },
    MetricDoc {
        name: "revocation_differences_total",
        help: "Differences between the list and its source that a full reading found and mended; each is a fault of somebody.",
    },
];

/// How long sources are waited for after the start, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The list, its inputs, its journal.
pub struct Book {
    list: Arc<List>,
    clock: Arc<dyn Clock>,
    feeds: Vec<Arc<Feed>>,
    journal: Option<Mutex<Journal>>,
    past: Mutex<Past>,
    turn: AtomicUsize,
    begun: Instant,
    /// How long the sources are waited for after the start.
    patience: Duration,
    /// They have said what they held by then, or were waited for long enough.
    caught_up: AtomicBool,
}

impl Book {
    /// A book that is filled by these inputs besides the operator's port. With a journal, what it holds is in force when this
    /// returns; without one, the port takes nothing.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn open(
        journal: Option<Journal>,
        capacity: usize,
        inputs: &[Input],
        clock: Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, JournalError> {
        let list = Arc::new(List::new(journal.as_ref().map_or_else(Seed::random, Journal::seed), capacity));
        let feed = |input: Input| Arc::new(Feed::new(input, list.clone(), clock.clone(), metrics));
        let wanted = |input: &Input| *input == Input::Admin || inputs.contains(input);
        let feeds = Input::ALL.into_iter().filter(wanted).map(feed).collect();
        let past = Mutex::new(Past::new(seconds(clock.now()), clock.instant()));
        let (journal, turn, begun) = (journal.map(Mutex::new), AtomicUsize::new(0), clock.instant());
        let caught_up = AtomicBool::new(false);
        list.set_past(seconds(clock.now()));
        let book = Self { list, clock, feeds, journal, past, turn, begun, patience: PATIENCE, caught_up };
        book.admin().complete();
        book.admin().catch_up();
        book.follow()?;
        Ok(book)
    }

    /// The sources are waited for so long after the start, and not [`PATIENCE`].
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn now(&self) -> u32 {
        seconds(self.clock.now())
    }

    fn admin(&self) -> &Feed {
        // Input::ALL begins with it, and no setting leaves it out.
        &self.feeds[0]
    }

    /// From when on a stated length of time counts; see [`Feed::reading_time`].
    pub fn reading_time(&self) -> u32 {
        self.admin().reading_time()
    }

    /// The handle of an input that was named when the book was opened.
    pub fn feed(&self, input: Input) -> Option<&Arc<Feed>> {
        self.feeds.iter().find(|feed| feed.input() == input)
    }

    /// The list itself.
    pub fn list(&self) -> &Arc<List> {
        &self.list
    }

    fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        Some(self.journal.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads along in a journal that another process writes, and takes it over when that one is gone. To be called often; waits
    /// for the disk when there is something new.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn follow(&self) -> Result<(), JournalError> {
        let Some(mut journal) = self.journal() else { return Ok(()) };
        if let Some(entries) = journal.follow(self.list.past(self.now()))? {
            let (broker, admin): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.input() == Input::Broker as u8);
            for (input, view) in [(Input::Admin, admin), (Input::Broker, broker)] {
                let view = view.into_iter().map(|entry| entry.with_input(input)).collect();
                // More than fits was acknowledged once, under a larger setting: forgetting it would let it pass.
                self.list.replace(input, view, self.now()).map_err(|Full(most)| JournalError::TooMuch(most))?;
            }
            self.admin().reached(i64::try_from(journal.sequence()).unwrap_or(i64::MAX));
        }
        if journal.state() == JournalState::Writing {
            self.admin().connected()
        } else {
            self.admin().lost("another process writes the journal")
        }
        Ok(())
    }

    /// Writes statements to the journal, puts them in force, and says the number of the last: the receipt. Waits for the disk.
    ///
    /// # Errors
    /// When they are not on the disk, or there is no room; they are then not in force.
    pub fn revoke(&self, statements: &[Statement]) -> Result<u64, RevokeError> {
        let Some(mut journal) = self.journal() else { return Err(RevokeError::NoJournal) };
        let now = self.now();
        let entries: Vec<Entry> = statements.iter().flat_map(|statement| statement.entries(self.list.seed(), Input::Admin)).collect();
        if self.list.len() + entries.len() > self.list.capacity() {
            return Err(RevokeError::Full);
        }
        let appended = journal.append(&entries, self.list.past(now), || ()).inspect_err(|error| {
            if journal.state() == JournalState::Failed {
                self.admin().lost(&error.to_string());
            }
        });
        let sequence = appended?;
        let changes = entries.into_iter().map(|entry| Change { entry, remove: false }).collect();
        self.list.change(changes, now).map_err(|_| RevokeError::Full)?;
        self.admin().reached(i64::try_from(sequence).unwrap_or(i64::MAX));
        Ok(sequence)
    }

    /// Writes what a broker said to the journal, if there is one, and puts it in force: what was refused once is refused by the
    /// next process too, and the broker forgets what it was told was heard. Waits for the disk; it is in force before that, because
    /// the broker says it again should the machine fail meanwhile.
    ///
    /// # Errors
    /// When it is not on the list, or not on the disk; the broker has to keep it then. It may be in force all the same.
    pub fn hear(&self, statement: &Statement) -> Result<(), RevokeError> {
        let now = self.now();
        let entries: Vec<Entry> = statement.entries(self.list.seed(), Input::Broker).collect();
        let full = self.list.len() + entries.len() > self.list.capacity();
        if let Some(feed) = self.feed(Input::Broker) {
            feed.has_room(!full);
        }
        if full {
            return Err(RevokeError::Full);
        }
        let enforce = || self.list.change(entries.iter().map(|entry| Change { entry: *entry, remove: false }).collect(), now);
        let mut enforced = None;
        let kept = self.journal().map(|mut journal| journal.append(&entries, self.list.past(now), || enforced = Some(enforce())));
        enforced.unwrap_or_else(enforce).map_err(|_| RevokeError::Full)?;
        kept.transpose()?;
        Ok(())
    }

    /// Leaves the journal to the next process; what that one writes is read along.
    pub fn hand_over(&self) {
        if let Some(mut journal) = self.journal() {
            journal.leave();
        }
    }

    /// Whether this process writes the journal; `None` without one.
    pub(crate) fn writes(&self) -> Option<bool> {
        Some(self.journal()?.state() == JournalState::Writing)
    }

    /// A file beside the journal.
    pub(crate) fn beside(&self, ending: &str) -> Option<PathBuf> {
        Some(self.journal()?.beside(ending))
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Once a second: lets go of what is over, and brings the gauges up to date.
    pub fn tick(&self) {
        self.admin().complete();
        let now = self.clock.instant();
        self.has_caught_up(now);
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner).reckon(self.now(), now);
        self.list.set_past(past);
        self.list.sweep(self.turn.fetch_add(1, Ordering::Relaxed), past);
        self.feeds.iter().for_each(|feed| feed.publish());
    }

    /// Of the least fresh source; see [`Standing::age`].
    fn age(&self, now: Instant) -> Option<Duration> {
        let sources = self.feeds.iter().filter(|feed| feed.input() != Input::Admin);
        sources.map(|feed| feed.age(now)).try_fold(Duration::ZERO, |oldest, age| Some(oldest.max(age?)))
    }

    /// One load, once it is so.
    fn has_caught_up(&self, now: Instant) -> bool {
        self.caught_up.load(Ordering::Acquire) || self.catch_up(now)
    }

    /// What is missing before requests may come: what the sources held when this process began.
    pub fn missing(&self) -> Vec<&'static str> {
        if self.has_caught_up(self.clock.instant()) { Vec::new() } else { self.behind().collect() }
    }

    fn behind(&self) -> impl Iterator<Item = &'static str> {
        self.feeds.iter().filter(|feed| !feed.has_caught_up()).filter_map(|feed| match feed.input() {
            Input::Admin => None,
            Input::Broker => Some("the message broker has not said all the revocations that it kept"),
            Input::Etcd => Some("the revocations of etcd were not read whole"),
        })
    }

    /// Whether the sources have caught up by now, or their time is over.
    fn catch_up(&self, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.begun) >= self.patience;
        let behind: Vec<_> = self.behind().collect();
        if !behind.is_empty() && !waited {
            return false;
        }
        if !self.caught_up.swap(true, Ordering::AcqRel) && !behind.is_empty() {
            let after = self.patience;
            log::warn!("after {after:?} (`stores.revocations.catch_up`) the gateway goes on with what it knows: {}", behind.join("; "));
        }
        true
    }

    /// The horizon, for the operator.
    pub fn show(&self) -> Value {
        let inputs: Map<String, Value> = self.feeds.iter().map(|feed| (feed.input().name().to_owned(), feed.show())).collect();
        let journal = self.journal().map(|journal| match journal.state() {
            JournalState::Writing => "writing",
            JournalState::Reading => "reading along",
            JournalState::Failed => "failed",
        });
        let standing = self.standing(self.clock.moment());
        json!({
            "entries": self.list.len(),
            "age_seconds": standing.age.map(|age| age.as_millis() as f64 / 1000.0),
            "caught_up": standing.has_caught_up,
            "journal": journal,
            "inputs": inputs,
        })
    }
}

/// Why a revocation of the operator's is not in force.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// None was configured, so a restart would forget it.
    #[error("there is no journal, so a restart would forget it: set `stores.revocations.journal`")]
    NoJournal,
    /// There is no room on the list.
    #[error("the list is full: raise `stores.revocations.max_entries`")]
    Full,
    /// It is not on the disk.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

impl Revocations for Book {
    fn find(&self, credential: &Principal, now: Moment) -> Option<RevokedBy> {
        // Not what the clock shows: were it ahead for a moment, what was revoked would pass meanwhile.
        self.list.find(credential, || self.list.past(seconds(now.wall)))
    }

    fn standing(&self, now: Moment) -> Standing {
        Standing { age: self.age(now.instant), has_caught_up: self.has_caught_up(now.instant) }
    }
}

/// Asked at the moment that the book's own clock shows.
#[cfg(test)]
impl Book {
    pub(crate) fn find_now(&self, credential: &Principal) -> Option<RevokedBy> {
        self.find(credential, self.clock.moment())
    }

    pub(crate) fn age_now(&self) -> Option<Duration> {
        self.age(self.clock.instant())
    }

    pub(crate) fn has_caught_up_now(&self) -> bool {
        self.has_caught_up(self.clock.instant())
    }
}

/// What the crate's tests share.
#[cfg(test)]
pub(crate) mod testing {
    use std::{
        sync::{Arc, Mutex},
        time::{Duration, Instant, SystemTime},
    };

    /// A clock that the test moves, and one on the wall that it can set wrong.
    pub(crate) struct Moved(Instant, Mutex<Duration>, Mutex<(Duration, Duration)>);

    impl Moved {
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self(Instant::now(), Mutex::default(), Mutex::default()))
        }

        pub(crate) fn pass(&self, time: Duration) {
            *self.1.lock().unwrap() += time;
        }

        pub(crate) fn goes_wrong_by(&self, ahead: Duration) {
            *self.2.lock().unwrap() = (ahead, Duration::ZERO);
        }

        pub(crate) fn goes_back_by(&self, behind: Duration) {
            *self.2.lock().unwrap() = (Duration::ZERO, behind);
        }
    }

    impl tollgate_filter_api::Clock for Moved {
        fn now(&self) -> SystemTime {
            let (ahead, behind) = *self.2.lock().unwrap();
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + *self.1.lock().unwrap() + ahead - behind
        }

        fn instant(&self) -> Instant {
            self.0 + *self.1.lock().unwrap()
        }
    }
}

#[cfg(test)]
#[path = "tests/book.rs"]
mod tests;
