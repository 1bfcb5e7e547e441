//! The counts of one operation.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};

use tollgate_filter_api::RequestId;

use super::{
    findings::{Counted, Findings, Found, Room},
    samples::{Sampled, Samples},
};
use crate::{
    finding::Finding,
    json::Tree,
    rules::{OperationRules, Place},
    schema::{Direction, Schema},
};

/// One judged body in so many is looked at closely.
const ONE_IN: u32 = 64;

/// Counts of things by what they are called, shared by the configurations that have them.
type Counters<K> = Mutex<HashMap<K, Arc<AtomicU64>>>;

/// Counts that nobody adds to any more, and that are kept all the same: in a moment a configuration may have them again.
const UNUSED: usize = 64;

/// What outlives a configuration.
#[derive(Debug)]
pub(super) struct Book {
    requests: AtomicU64,
    parameters: Counters<(Place, String)>,
    media: Counters<String>,
    findings: Findings,
    places: Arc<Room>,
    /// One for each configuration that has the operation, and for each set of filters in it.
    records: Mutex<Vec<Weak<Record>>>,
}

/// Where an operation of one configuration counts. Everything may be called by many threads at once.
#[derive(Debug)]
pub struct Record {
    book: Arc<Book>,
    /// In the order of the rules.
    parameters: Box<[Arc<AtomicU64>]>,
    media: Box<[Arc<AtomicU64>]>,
    judged: AtomicU64,
    samples: Samples,
}

/// What was counted of an operation.
#[derive(Clone, Debug, Default)]
pub struct Used {
    /// Requests that came so far that their parameters were looked at.
    pub requests: u64,
    /// How many of them had each parameter.
    pub parameters: BTreeMap<(&'static str, String), u64>,
    /// How many had a body of each declared media type.
    pub media: BTreeMap<String, u64>,
    /// What was found wrong, by rule.
    pub findings: Vec<Counted>,
    /// Findings that had no room among those; they are not told apart.
    pub other_findings: u64,
    /// The last findings, the oldest first.
    pub last: Vec<Found>,
    /// What sampled bodies had of their schemas, in the configuration in force.
    pub samples: Vec<Sampled>,
}

impl Book {
    pub(super) fn new(room: Arc<Room>, places: Arc<Room>) -> Self {
        let findings = Findings::new(room);
        Self {
            requests: AtomicU64::new(0),
            parameters: Mutex::default(),
            media: Mutex::default(),
            findings,
            places,
            records: Mutex::default(),
        }
    }

    pub(super) fn used(&self) -> Used {
        let records: Vec<Arc<Record>> = locked(&self.records).iter().filter_map(Weak::upgrade).collect();
        let (findings, other_findings) = self.findings.counted();
        // The newest that has looked at anything: a configuration that is refused has not.
        let samples = records.iter().rev().map(|record| record.samples.show()).find(|samples| !samples.is_empty());
        Used {
            requests: self.requests.load(Relaxed),
            parameters: counted(&self.parameters).map(|((place, name), count)| ((place.word(), name), count)).collect(),
            media: counted(&self.media).collect(),
            findings,
            other_findings,
            last: self.findings.last(),
            samples: samples.unwrap_or_default(),
        }
    }
}

impl Record {
    pub(super) fn new(book: &Arc<Book>, rules: &OperationRules) -> Arc<Self> {
        let parameters = rules.parameters.iter().map(|rule| counter(&book.parameters, (rule.place, rule.name.clone())));
        let media = rules.body.iter().flat_map(|body| &body.content).map(|rule| counter(&book.media, rule.range.clone()));
        let record = Arc::new(Self {
            book: book.clone(),
            parameters: parameters.collect(),
            media: media.collect(),
            judged: AtomicU64::new(0),
            samples: Samples::new(book.places.clone()),
        });
        tidy(&book.parameters, record.parameters.len());
        tidy(&book.media, record.media.len());
        let mut records = locked(&book.records);
        records.retain(|record| record.strong_count() > 0);
        records.push(Arc::downgrade(&record));
        record
    }

    /// A request has come.
    pub fn request(&self) {
        self.book.requests.fetch_add(1, Relaxed);
    }

    /// It has the parameter of that place in the rules.
    pub fn parameter(&self, index: usize) {
        if let Some(counter) = self.parameters.get(index) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// It has a body of the media type of that place in the rules.
    pub fn body(&self, media: usize) {
        if let Some(counter) = self.media.get(media) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Something is wrong with a request or its answer, which is refused for it or goes on.
    pub fn finding(&self, direction: Direction, refused: bool, finding: &Finding, at: SystemTime, request_id: &RequestId) {
        self.book.findings.add(direction, refused, finding, at, *request_id);
    }

    /// Whether the body that was just judged is one that [`Record::visit`] should see: the first, and about one in 64.
    pub fn sampled(&self) -> bool {
        // By steps of the golden ratio, so that a client that sends two kinds of bodies in turn has both looked at.
        let place = (self.judged.fetch_add(1, Relaxed) as u32).wrapping_mul(0x9e37_79b9);
        place < u32::MAX / ONE_IN
    }

    /// Notes which members and alternatives of its schema a body has that fits. Looks at a thousand values at most.
    pub fn visit(&self, direction: Direction, schema: &Schema, body: &Tree<'_>) {
        self.samples.visit(direction, schema, body.root());
    }
}

/// The count of that name, at 0 when nobody had it yet.
fn counter<K: Hash + Eq>(counters: &Counters<K>, key: K) -> Arc<AtomicU64> {
    locked(counters).entry(key).or_default().clone()
}

/// What earlier configurations counted by other names is let go when it becomes much.
fn tidy<K: Hash + Eq>(counters: &Counters<K>, used: usize) {
    let mut counters = locked(counters);
    if counters.len() > used + UNUSED {
        counters.retain(|_, counter| Arc::strong_count(counter) > 1);
    }
}

fn counted<K: Hash + Eq + Clone>(counters: &Counters<K>) -> impl Iterator<Item = (K, u64)> + use<K> {
    let counters = locked(counters);
    let all = counters.iter().map(|(key, counter)| (key.clone(), counter.load(Relaxed)));
    all.collect::<Vec<_>>().into_iter()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
