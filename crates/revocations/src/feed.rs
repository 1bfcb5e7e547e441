//! One input: what it said, whether it is there, and how fresh it is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tollgate_filter_api::{Clock, Counter, Gauge, LogLimiter, Metrics};

use crate::{
    Bad, Differences, Full, List, Statement,
    entry::{Entry, Input},
};

/// Why something did not get onto the list.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// It cannot be understood.
    #[error("{0}")]
    Bad(#[from] Bad),
    /// There is no room.
    #[error("{0}")]
    Full(#[from] Full),
}

/// The view was not complete yet.
const NEVER: i64 = i64::MIN;

/// Milliseconds; a length that does not fit is longer than any process lives.
fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// Seconds since 1970, until 2106.
pub(crate) fn seconds(time: SystemTime) -> u32 {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

struct Series {
    entries: Gauge,
    age: Gauge,
    connected: Gauge,
    sequence: Gauge,
    bad: Counter,
    gaps: Counter,
    differences: Counter,
    restarts: Counter,
}

impl Series {
    fn of(input: Input, metrics: &Metrics) -> Self {
        let label = Some(("input", input.name()));
        Self {
            entries: metrics.gauge("revocation_entries", label),
            age: metrics.gauge("revocation_age_seconds", label),
            connected: metrics.gauge("revocation_connected", label),
            sequence: metrics.gauge("revocation_sequence", label),
            bad: metrics.counter("revocation_bad_entries_total", label),
            gaps: metrics.counter("revocation_gaps_total", label),
            differences: metrics.counter("revocation_differences_total", label),
            restarts: metrics.counter("revocation_restarts_total", label),
        }
    }
}

/// One input of the list. Cheap to share.
pub struct Feed {
    input: Input,
    list: Arc<List>,
    clock: Arc<dyn Clock>,
    begun: Instant,
    /// Seconds since 1970 at that time.
    opened: u32,
    /// It has said what it held when this process began.
    caught_up: AtomicBool,
    /// Milliseconds after `begun`, or before, at which the view was last known to be complete; [`NEVER`] before the first time.
    complete: AtomicI64,
    /// Something may be missing that nothing has made up for yet; until then no later time is known to be complete.
    torn: AtomicBool,
    /// Of what cannot be understood.
    reports: LogLimiter,
    /// More was gathered than the list can hold.
    too_much: AtomicBool,
    connected: AtomicBool,
    sequence: AtomicI64,
    /// Something it said is missing for want of room; the view is not complete until it is replaced.
    overflowed: AtomicBool,
    cause: Mutex<String>,
    view: Mutex<Vec<Entry>>,
    series: Series,
}

impl Feed {
    pub(crate) fn new(input: Input, list: Arc<List>, clock: Arc<dyn Clock>, metrics: &Metrics) -> Self {
        Self {
            input,
            list,
            begun: clock.instant(),
            opened: seconds(clock.now()),
            caught_up: AtomicBool::new(false),
            clock,
            complete: AtomicI64::new(NEVER),
            torn: AtomicBool::new(false),
            reports: LogLimiter::default(),
            too_much: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            sequence: AtomicI64::new(0),
            overflowed: AtomicBool::new(false),
            cause: Mutex::default(),
            view: Mutex::default(),
            series: Series::of(input, metrics),
        }
    }

    /// Which one it is.
    pub fn input(&self) -> Input {
        self.input
    }

    /// Seconds since 1970.
    pub fn now(&self) -> u32 {
        seconds(self.clock.now())
    }

    /// From when on a length of time counts that a source states: what the wall clock shows, and no earlier than it would show had it not
    /// been stepped back since the start. An entry that ends too soon would let a token pass that was revoked.
    pub fn reading_time(&self) -> u32 {
        let passed = self.clock.instant().saturating_duration_since(self.begun).as_secs();
        self.now().max(self.opened.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX)))
    }

    /// The source has said everything that it held when this process began.
    pub fn catch_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Whether it has.
    pub fn has_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// The source is there.
    pub fn connected(&self) {
        self.connected.store(true, Ordering::Relaxed);
        self.series.connected.set(1);
        self.set_cause("");
    }

    /// The source is gone.
    pub fn lost(&self, cause: &str) {
        self.connected.store(false, Ordering::Relaxed);
        self.series.connected.set(0);
        self.set_cause(cause);
    }

    fn set_cause(&self, cause: &str) {
        cause.clone_into(&mut self.cause.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The view was complete at that time; says nothing while there is a gap.
    pub fn complete_at(&self, at: Instant) {
        if !self.torn.load(Ordering::Relaxed) {
            let at = millis(at.saturating_duration_since(self.begun)) - millis(self.begun.saturating_duration_since(at));
            self.complete.fetch_max(at, Ordering::Relaxed);
        }
    }

    /// When the view was last known to be complete.
    pub fn completed(&self) -> Option<Instant> {
        let at = self.complete.load(Ordering::Relaxed);
        let length = Duration::from_millis(at.unsigned_abs());
        if at >= 0 {
            Some(self.begun + length)
        } else if at > NEVER {
            self.begun.checked_sub(length)
        } else {
            None
        }
    }

    /// The view is complete now.
    pub fn complete(&self) {
        self.complete_at(self.clock.instant());
    }

    /// Everything up to here is in force. A number means something only to its source.
    pub fn reached(&self, sequence: i64) {
        self.sequence.store(sequence, Ordering::Relaxed);
        self.series.sequence.set(sequence);
    }

    /// Something may have been said that was not heard. With `open`, the view is not complete until [`mend`](Self::mend).
    pub fn gap(&self, open: bool) {
        self.series.gaps.inc();
        self.torn.fetch_or(open, Ordering::Relaxed);
    }

    /// What was missed is known now from somewhere else.
    pub fn mend(&self) {
        self.torn.store(false, Ordering::Relaxed);
    }

    /// Whether something may be missing.
    pub fn is_torn(&self) -> bool {
        self.torn.load(Ordering::Relaxed)
    }

    /// Whether the source is there.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Counts a task that failed and was started again.
    pub fn restarted(&self) {
        self.series.restarts.inc();
    }

    /// Counts something that cannot be understood.
    pub fn bad(&self, bad: &Bad) {
        self.series.bad.inc();
        if self.reports.allow(self.clock.instant()).is_some() {
            log::warn!("an entry for the revocation list from {} is refused ({} so far): {bad}", self.input.name(), self.series.bad.get());
        }
    }

    /// Puts statements in force.
    ///
    /// # Errors
    /// When there is no room; the view is then not complete until it is replaced.
    pub fn add(&self, statements: &[Statement]) -> Result<(), Full> {
        self.list.add(self.input, statements, self.now()).inspect_err(|_| self.has_room(false))
    }

    /// Puts in force what one message says.
    ///
    /// # Errors
    /// When it cannot be understood, which is counted, or there is no room.
    pub fn hear(&self, read: Result<Statement, Bad>) -> Result<(), FeedError> {
        let statement = read.inspect_err(|bad| self.bad(bad))?;
        Ok(self.add(&[statement])?)
    }

    /// Takes back what this input said.
    pub fn remove(&self, statements: &[Statement]) {
        self.list.remove(self.input, statements, self.now());
    }

    /// A new view begins; [`listed`](Self::listed) gathers it and [`replace`](Self::replace) puts it in force.
    pub fn begin(&self) {
        *self.gathering() = Vec::new();
        self.too_much.store(false, Ordering::Relaxed);
    }

    /// A part of the new view. False when the list could not hold the whole of it anyway: nothing more is gathered then.
    pub fn listed(&self, statements: &[Statement]) -> bool {
        let entries = statements.iter().flat_map(|statement| statement.entries(self.list.seed(), self.input));
        let mut view = self.gathering();
        if view.len() > self.list.capacity() {
            self.too_much.store(true, Ordering::Relaxed);
            return false;
        }
        view.extend(entries);
        true
    }

    fn gathering(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The view that was gathered takes the place of the old one. With `compare`, the two should have been the same, and
    /// differences are counted.
    ///
    /// # Errors
    /// When there is no room; the old view stays.
    pub fn replace(&self, compare: bool) -> Result<Differences, Full> {
        let view = std::mem::take(&mut *self.gathering());
        let replaced = match self.too_much.load(Ordering::Relaxed) {
            true => Err(Full(self.list.len())),
            false => self.list.replace(self.input, view, self.now()),
        };
        let differences = replaced.inspect_err(|_| self.has_room(false))?;
        self.overflowed.store(false, Ordering::Relaxed);
        let count = differences.missing + differences.surplus;
        if compare && count > 0 {
            log::warn!("the revocation list differed from {} in {count} entries and was mended", self.input.name());
            (0..count).for_each(|_| self.series.differences.inc());
        }
        Ok(differences)
    }

    /// Whether what was said last fits. What does not is left with its source, and until it fits the view is not complete.
    pub(crate) fn has_room(&self, room: bool) {
        let had_room = !self.overflowed.swap(!room, Ordering::Relaxed);
        if had_room && !room {
            log::error!("a revocation from {} is not in force: the list is full", self.input.name());
        }
    }

    /// How long ago the view was last known to be complete; `None` when it never was, or is known not to be.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let complete = self.completed()?;
        if self.overflowed.load(Ordering::Relaxed) {
            return None;
        }
        Some(now.saturating_duration_since(complete))
    }

    #[cfg(test)]
    pub(crate) fn age_now(&self) -> Option<Duration> {
        self.age(self.clock.instant())
    }

    pub(crate) fn publish(&self) {
        self.series.entries.set(i64::try_from(self.list.count(self.input)).unwrap_or(i64::MAX));
        let age = self.age(self.clock.instant()).map_or(-1, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        self.series.age.set(age);
    }

    /// For the operator.
    pub(crate) fn show(&self) -> Value {
        let age = self.age(self.clock.instant());
        let cause = self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json!({
            "connected": self.connected.load(Ordering::Relaxed),
            "caught_up": self.has_caught_up(),
            "complete": age.is_some() && !self.is_torn(),
            "gap": self.is_torn(),
            "age_seconds": age.map(|age| age.as_millis() as f64 / 1000.0),
            "sequence": self.sequence.load(Ordering::Relaxed),
            "entries": self.list.count(self.input),
            "bad_entries": self.series.bad.get(),
            "gaps": self.series.gaps.get(),
            "restarts": self.series.restarts.get(),
            "differences": self.series.differences.get(),
            "cause": if cause.is_empty() { Value::Null } else { cause.into() },
        })
    }
}
