//! A broker as an input: what is known, and until when.
//!
//! A broker says only what is new. So the view is complete when nothing was missed: the subscription is durable, what was
//! heard was kept, and the broker has said everything that it kept. Where that is not so there is a gap, which nothing but
//! another source that says everything can close.
//!
//! That a broker has said everything it kept is known where the protocol has a word for it, or answers that can stand for one. Elsewhere it is
//! taken for granted when no message came for a while; a broker that pauses longer in the middle of what it kept is believed too early.
//!
//! What it does not protect against: what was published before the subscription was first made. It is counted as a gap, and
//! taken for nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{Bad, Book, Feed, Input, RevokeError, Statement, mark::Mark};

/// How long a broker has sent no message, after a connection or a message, when it has said what it had kept.
const QUIET: Duration = Duration::from_secs(1);

/// The same for a broker that should have said so itself, and did not.
const LONG_QUIET: Duration = Duration::from_secs(10);

/// As of so long ago at most, another process that hears the broker has caught up for us as well.
const FRESH: Duration = Duration::from_secs(5);

/// How often the mark is set.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// What makes up for what was published while nobody listened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Nothing,
    /// etcd, which has everything that the broker says.
    Etcd,
}

/// One subscription, over all its connections.
pub struct Subscription {
    book: Arc<Book>,
    feed: Arc<Feed>,
    durable: bool,
    missed: Missed,
    state: Mutex<State>,
}

struct State {
    mark: Option<Mark>,
    marked: Option<Instant>,
    /// Whether there was no connection yet.
    first: bool,
    connected: Option<Instant>,
    /// When something last came.
    last_received: Instant,
    /// When the last message was taken in, or the connection made.
    quiet_since: Instant,
    /// Whether the broker says itself when it has said what it had kept.
    exact: bool,
    /// Whether the broker has said what it had kept.
    caught_up: bool,
    /// Whether the mark could not be set last time.
    unmarked: bool,
    messages: i64,
}

impl Subscription {
    /// A subscription of a book that was opened with a broker as input. `name` tells it from any other; `durable` says that the
    /// broker keeps what is published while nobody listens.
    pub fn new(book: Arc<Book>, name: &str, durable: bool, missed: Missed) -> Option<Self> {
        let feed = book.feed(Input::Broker)?.clone();
        let mark = book.beside(".broker").filter(|_| durable).map(|path| Mark::new(path, name));
        let last_received = book.clock().instant();
        let state = State {
            mark,
            marked: None,
            first: true,
            connected: None,
            last_received,
            quiet_since: last_received,
            exact: false,
            caught_up: false,
            unmarked: false,
            messages: 0,
        };
        let subscription = Self { book, feed, durable, missed, state: Mutex::new(state) };
        subscription.remember(&subscription.state());
        Some(subscription)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Instant {
        self.book.clock().instant()
    }

    /// Takes over what the mark says: of an earlier process, or of the one that writes the journal.
    fn remember(&self, state: &State) -> bool {
        let Some(age) = state.mark.as_ref().and_then(|mark| mark.age(self.book.clock().now())) else { return false };
        if age <= FRESH && self.book.writes() == Some(false) {
            self.feed.catch_up();
        }
        self.now().checked_sub(age).inspect(|at| self.feed.complete_at(*at)).is_some()
    }

    /// The broker confirmed it. With `exact`, it says itself when it has said what it had kept. Says whether something may be missing that
    /// nothing has made up for.
    pub fn connected(&self, exact: bool) -> bool {
        let mut state = self.state();
        let kept = self.book.writes().is_some();
        if !self.durable || (state.first && !kept) {
            self.feed.gap(true);
        } else if state.first && !self.remember(&state) {
            self.feed.gap(false);
        }
        let now = self.now();
        (state.first, state.connected, state.exact) = (false, Some(now), exact);
        // What is not durable has nothing kept for it.
        state.caught_up = !self.durable;
        (state.last_received, state.quiet_since) = (now, now);
        self.feed.connected();
        self.reckon(&mut state);
        self.feed.is_torn()
    }

    /// Something came, in order: a message that was [heard](Self::hear) before, or a sign of life.
    pub fn alive(&self) {
        let mut state = self.state();
        state.last_received = self.now();
        self.reckon(&mut state);
    }

    /// The broker has said everything that it had kept when it was connected.
    pub fn drained(&self) {
        let mut state = self.state();
        state.last_received = self.now();
        self.catch_up(&mut state);
    }

    fn catch_up(&self, state: &mut State) {
        state.caught_up |= state.connected.is_some();
        self.reckon(state);
    }

    /// One message.
    ///
    /// # Errors
    /// When the broker has to keep it. What cannot be understood is counted, and no error.
    pub fn hear(&self, read: Result<Statement, Bad>) -> Result<(), RevokeError> {
        {
            let mut state = self.state();
            state.messages += 1;
            self.feed.reached(state.messages);
        }
        let result = match read {
            Ok(statement) => self.book.hear(&statement),
            Err(bad) => {
                self.feed.bad(&bad);
                Ok(())
            }
        };
        // The disk may have taken its time; while we wait for it the broker is not quiet.
        self.state().quiet_since = self.now();
        result
    }

    /// A message that could not be read.
    pub fn unread(&self, why: &str) {
        self.feed.bad(&Bad::new(why));
        self.state().quiet_since = self.now();
    }

    /// From when on a length of time counts that a message states; see [`Feed::reading_time`].
    pub fn reading_time(&self) -> u32 {
        self.feed.reading_time()
    }

    /// The connection is gone.
    pub fn lost(&self, cause: &str) {
        let mut state = self.state();
        (state.connected, state.caught_up) = (None, false);
        self.feed.lost(cause);
    }

    /// Several times a second.
    pub fn tick(&self) {
        let mut state = self.state();
        let now = self.now();
        if state.connected.is_none() {
            if self.book.writes() == Some(false) {
                self.remember(&state);
            }
            return;
        }
        let quiet = if state.exact { LONG_QUIET } else { QUIET };
        if !state.caught_up && now.saturating_duration_since(state.quiet_since) >= quiet {
            self.catch_up(&mut state);
        }
        if self.feed.is_torn() && self.missed == Missed::Etcd {
            let etcd = self.book.feed(Input::Etcd).and_then(|etcd| etcd.completed());
            if etcd.zip(state.connected).is_some_and(|(etcd, connected)| etcd > connected) {
                self.feed.mend();
                self.reckon(&mut state);
            }
        }
    }

    /// As of the last thing that came, everything is known.
    fn reckon(&self, state: &mut State) {
        if !state.caught_up {
            return;
        }
        self.feed.complete_at(state.last_received);
        // What nothing makes up for is not waited for: it would be for ever.
        if self.missed == Missed::Nothing || !self.feed.is_torn() {
            self.feed.catch_up();
        }
        let due = state.marked.is_none_or(|last| state.last_received.saturating_duration_since(last) >= MARK_EVERY);
        if due && !self.feed.is_torn() && self.book.writes() == Some(true) {
            state.marked = Some(state.last_received);
            let now = self.book.clock().now();
            let failed = state.mark.as_mut().and_then(|mark| mark.set(now).err());
            if !std::mem::replace(&mut state.unmarked, failed.is_some())
                && let Some(error) = failed
            {
                log::warn!("how far the broker was heard cannot be kept, so a restart will know less: {error}");
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/subscription.rs"]
mod tests;
