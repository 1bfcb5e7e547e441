//! How much of one answer may be on its way through the gateway.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed},
};

use futures_util::task::AtomicWaker;

use crate::{proxy::budget::Budget, telemetry::IntCounter};

/// Bytes of a piece that every answer may have, whatever the others do.
pub const LEAST: usize = 4 << 10;

/// Bytes that are handed over, be it in several pieces, before the client must have taken the last ones. The engine has a block of
/// 64 KiB for each piece, so few pieces matter as much as small ones; but what is shorter may hold nothing for a client, such as the
/// size of a chunk that has not come yet.
const PIECE: usize = 2 << 10;

/// Blocks that the engine has for one answer: of the piece that is written, of the one that waits, and one to read the next into. What
/// was once used of them stays resident.
const BLOCKS: usize = 3;

/// Pieces that a client takes before the next ones are larger.
const TAKEN: u8 = 4;

/// What a connection to an upstream and the exchange over it tell each other. One exchange at a time.
///
/// The connection counts what it hands over; the exchange says when a piece of the answer goes to the client, which is when the pieces
/// before it have gone. Hence two pieces are held for a client that takes nothing: one that is written, and one that waits. Pieces double
/// in size while the client takes them.
#[derive(Debug)]
pub struct Flow {
    budget: Arc<Budget>,
    /// Counts answers that have as much outstanding as one may have.
    filled: IntCounter,
    most: usize,
    /// Most bytes of a piece.
    window: AtomicUsize,
    outstanding: AtomicUsize,
    /// Pieces of the present size that the client has taken.
    taken: AtomicU8,
    /// The head of the answer is not over yet. A head is needed whole, so it is not held back.
    in_head: AtomicBool,
    /// The upstream was silent for too long.
    silent: AtomicBool,
    reader: AtomicWaker,
}

impl Flow {
    /// A connection on which an answer may have up to `most` bytes outstanding.
    pub fn new(most: usize, budget: Arc<Budget>, filled: IntCounter) -> Self {
        Self {
            budget,
            filled,
            most,
            window: AtomicUsize::new(LEAST),
            outstanding: AtomicUsize::new(0),
            taken: AtomicU8::new(0),
            in_head: AtomicBool::new(true),
            silent: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        }
    }

    /// A piece of the answer goes to the client, so those before it have gone.
    pub fn passed(&self) {
        let outstanding = self.outstanding.swap(0, Relaxed);
        if outstanding < PIECE {
            return;
        }
        let window = self.window.load(Relaxed);
        if 2 * outstanding > window && self.taken.fetch_add(1, Relaxed) >= TAKEN {
            self.taken.store(0, Relaxed);
            self.grow(window);
        }
        self.reader.wake();
    }

    fn grow(&self, window: usize) {
        let more = window.min(self.most.saturating_sub(window));
        if more > 0 && self.budget.take(BLOCKS * more) {
            self.window.store(window + more, Relaxed);
        }
    }

    /// The head was that of an interim answer: another one follows.
    pub fn interim(&self) {
        self.in_head.store(true, Relaxed);
        self.passed();
    }

    /// The client is waited for, with as much outstanding as there may ever be.
    pub(super) fn full(&self) {
        if self.window.load(Relaxed) >= self.most {
            self.filled.inc();
        }
    }

    /// Whether the upstream was silent for too long.
    pub fn was_silent(&self) -> bool {
        self.silent.load(Relaxed)
    }

    /// How many bytes may be handed over now; 0 while the client is waited for.
    pub(super) fn allowed(&self) -> usize {
        let waits = !self.in_head.load(Relaxed) && self.outstanding.load(Relaxed) >= PIECE;
        if waits { 0 } else { self.window.load(Relaxed) }
    }

    pub(super) fn reader(&self) -> &AtomicWaker {
        &self.reader
    }

    pub(super) fn in_head(&self) -> bool {
        self.in_head.load(Relaxed)
    }

    /// The head is over.
    pub(super) fn in_body(&self) {
        self.in_head.store(false, Relaxed);
    }

    /// So many bytes of the body were handed over.
    pub(super) fn handed_over(&self, bytes: usize) {
        self.outstanding.fetch_add(bytes, Relaxed);
    }

    pub(super) fn silent(&self) {
        self.silent.store(true, Relaxed);
    }

    /// The exchange is over.
    pub(super) fn rest(&self) {
        self.give_back();
        self.outstanding.store(0, Relaxed);
        self.taken.store(0, Relaxed);
        self.in_head.store(true, Relaxed);
    }

    fn give_back(&self) {
        let window = self.window.swap(LEAST, Relaxed);
        if window > LEAST {
            self.budget.give(BLOCKS * (window - LEAST));
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.give_back();
    }
}
