//! A sorted piece of the list. Never changed: a change makes the next one.

use std::cmp::Ordering;

use crate::entry::{Digest, Entry, Input};

/// Bits of the digest that choose the shard. With ten million entries a shard has 2,400 of them, 58 kB: the copy that one
/// change costs takes about ten microseconds, and a search stays within a few cache lines.
pub(crate) const SHARD_BITS: u32 = 12;

/// Number of shards.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;

pub(crate) fn shard_of(high: u64) -> usize {
    (high >> (64 - SHARD_BITS)) as usize
}

/// What is to happen to an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub entry: Entry,
    pub remove: bool,
}

/// Index of the first entry that is not before the digest. Digests are evenly spread, so the place is guessed within four
/// standard deviations, and looked for in the whole only when it is not there.
fn position(entries: &[Entry], digest: Digest) -> usize {
    let count = entries.len();
    let guess = ((u128::from(digest.high << SHARD_BITS) * count as u128) >> 64) as usize;
    let span = 2 * count.isqrt() + 8;
    let (low, high) = (guess.saturating_sub(span), (guess + span).min(count));
    let before = |entry: &Entry| entry.digest() < digest;
    let fits = (low == 0 || before(&entries[low - 1])) && (high == count || !before(&entries[high]));
    let (low, high) = if fits { (low, high) } else { (0, count) };
    low + entries[low..high].partition_point(before)
}

/// Everything that the inputs say of a digest.
pub(crate) fn find(entries: &[Entry], digest: Digest) -> impl Iterator<Item = &Entry> {
    entries[position(entries, digest)..].iter().take_while(move |entry| entry.digest() == digest)
}

/// The entries after the changes, which are sorted by identity.
pub(crate) fn merge(old: &[Entry], changes: &[Change], now: u32) -> Box<[Entry]> {
    let mut merged = Vec::with_capacity(old.len() + changes.len());
    let mut old = old.iter().copied().filter(|entry| !entry.is_over(now)).peekable();
    for same in changes.chunk_by(|a, b| a.entry.identity() == b.entry.identity()) {
        let identity = same[0].entry.identity();
        while let Some(entry) = old.next_if(|entry| entry.identity() < identity) {
            merged.push(entry);
        }
        let known = old.next_if(|entry| entry.identity() == identity);
        merged.extend(same.iter().fold(known, changed).filter(|entry| !entry.is_over(now)));
    }
    merged.extend(old);
    merged.into_boxed_slice()
}

fn changed(known: Option<Entry>, change: &Change) -> Option<Entry> {
    match (known, change.remove) {
        (Some(known), false) => Some(known.and(change.entry)),
        (None, false) => Some(change.entry),
        (Some(known), true) => known.without(change.entry.kinds()),
        (None, true) => None,
    }
}

/// What [`replace`] makes.
pub(crate) struct Replaced {
    pub entries: Box<[Entry]>,
    /// Said now and not before.
    pub missing: usize,
    /// Said before and not now.
    pub surplus: usize,
    /// Whether the entries are other than before at all: an end that is counted from now moves with every reading.
    pub changed: bool,
}

/// The entries with one input's view replaced. What is over counts as not said.
pub(crate) fn replace(old: &[Entry], input: Input, view: &[Entry], now: u32) -> Replaced {
    let live = |entry: &&Entry| !entry.is_over(now);
    let (mut own, mut view) =
        (old.iter().filter(live).filter(|entry| entry.input() == input as u8).peekable(), view.iter().filter(live).peekable());
    let mut others = old.iter().filter(live).filter(|entry| entry.input() != input as u8).copied().peekable();
    let (mut merged, mut missing, mut surplus, mut changed) = (Vec::with_capacity(old.len()), 0, 0, false);
    let says = |entry: &Entry| (entry.kinds(), entry.before);
    loop {
        let order = match (own.peek(), view.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(own), Some(view)) => own.identity().cmp(&view.identity()),
        };
        let known = if order.is_le() { own.next() } else { None };
        let Some(entry) = (if order.is_ge() { view.next() } else { None }) else {
            surplus += 1;
            continue;
        };
        changed |= known != Some(entry);
        missing += usize::from(known.is_none_or(|known| says(known) != says(entry)));
        while let Some(other) = others.next_if(|other| other.identity() < entry.identity()) {
            merged.push(other);
        }
        merged.push(*entry);
    }
    merged.extend(others);
    Replaced { changed: changed || surplus > 0, entries: merged.into_boxed_slice(), missing, surplus }
}
