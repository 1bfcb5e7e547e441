//! One part of the counters, behind one lock. A hand goes round its buckets and removes what is over.

use hashbrown::HashTable;

use crate::{
    clock::Time,
    entry::{Count, Entry},
    key::Key,
    lease::Leases,
};

/// Buckets that the hand looks at for each new counter: with the table at most 7/8 full, it has gone round before the table must grow.
pub(crate) const PER_INSERT: usize = 4;

/// The table is not made smaller below this: memory that would come back at once.
const SMALLEST: usize = 64;

#[derive(Debug)]
pub(crate) struct Shard {
    table: HashTable<Entry>,
    hand: usize,
    /// The latest time that was seen here. A thread that was held up after it had read the clock must not bring a counter back that the
    /// hand has taken away.
    latest: Time,
    /// Counters of shared policies, if there are any.
    pub leases: Option<Box<Leases>>,
}

impl Shard {
    pub fn new() -> Self {
        Self { table: HashTable::new(), hand: 0, latest: Time(0), leases: None }
    }

    /// The time here: never earlier than before.
    pub fn time(&mut self, now: Time) -> Time {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// As [`Shard::time`], for one who only reads.
    pub fn time_seen(&self, now: Time) -> Time {
        self.latest.max(now)
    }

    /// A counter, and the bucket in which it lies.
    pub fn find(&self, key: Key) -> Option<(usize, Count)> {
        let bucket = self.table.find_bucket_index(Key::hash(&key.bits), |entry| entry.key == key.bits)?;
        self.table.get_bucket(bucket).map(|entry| (bucket, entry.count))
    }

    /// Writes a counter that lies in that bucket, if it still does. How many counters were removed on the way, if it is new.
    pub fn put(&mut self, bucket: Option<usize>, key: Key, count: Count) -> Option<usize> {
        if let Some(entry) = bucket.and_then(|bucket| self.table.get_bucket_mut(bucket)).filter(|entry| entry.key == key.bits) {
            entry.count = count;
            return None;
        }
        self.insert(key, count)
    }

    fn insert(&mut self, key: Key, count: Count) -> Option<usize> {
        let hash = Key::hash(&key.bits);
        // Its bucket may have been emptied, or its table rebuilt, since it was found.
        if let Some(entry) = self.table.find_mut(hash, |entry| entry.key == key.bits) {
            entry.count = count;
            return None;
        }
        let removed = self.sweep(PER_INSERT);
        self.table.insert_unique(hash, Entry { key: key.bits, count }, Entry::hash);
        Some(removed)
    }

    /// Whether it was there.
    pub fn remove(&mut self, key: Key) -> bool {
        let found = self.table.find_entry(Key::hash(&key.bits), |entry| entry.key == key.bits);
        found.map(|entry| entry.remove()).is_ok()
    }

    /// Looks at that many buckets more; how many counters were over.
    pub fn sweep(&mut self, buckets: usize) -> usize {
        let latest = self.latest;
        let leases = self.leases.as_mut().map_or(0, |leases| leases.sweep(buckets, latest));
        leases + sweep(&mut self.table, &mut self.hand, buckets, |entry| entry.count.over(latest))
    }

    /// Looks at all buckets, and gives memory back if most of it is unused. How many counters were over.
    pub fn tidy(&mut self) -> usize {
        let mut removed = self.sweep(self.table.num_buckets());
        if let Some(leases) = &mut self.leases {
            removed += leases.tidy(self.latest);
        }
        if self.leases.as_ref().is_some_and(|leases| leases.is_empty()) {
            self.leases = None;
        }
        if self.table.capacity() > SMALLEST.max(self.table.len() * 4) {
            self.table.shrink_to(self.table.len() * 2, Entry::hash);
        }
        removed
    }

    /// Adds the counters that are worth a file, and whose time is not over.
    pub fn copy_kept(&self, now: Time, to: &mut Vec<Entry>) {
        let kept = |entry: &&Entry| entry.kept() && !entry.count.over(now);
        to.extend(self.table.iter().filter(kept).copied());
    }

    /// Bytes that its table takes.
    pub fn bytes(&self) -> usize {
        self.table.allocation_size() + self.leases.as_ref().map_or(0, |leases| leases.bytes())
    }
}

/// Turns a hand over that many buckets more, and removes what is over; how many that was.
pub(crate) fn sweep<T>(table: &mut HashTable<T>, hand: &mut usize, buckets: usize, over: impl Fn(&T) -> bool) -> usize {
    let mut removed = 0;
    for _ in 0..buckets.min(table.num_buckets()) {
        *hand = if *hand + 1 < table.num_buckets() { *hand + 1 } else { 0 };
        if table.get_bucket(*hand).is_some_and(&over)
            && let Ok(entry) = table.get_bucket_entry(*hand)
        {
            entry.remove();
            removed += 1;
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_whose_bucket_another_has_taken_since_is_written_elsewhere() {
        let mut shard = Shard::new();
        let [old, other] = [1, 2].map(|number| Key { shard: 0, bits: [number; 3] });
        shard.put(None, other, Count::of(9, 5));
        let (bucket, _) = shard.find(other).unwrap();
        assert_eq!(shard.put(Some(bucket), old, Count::of(9, 7)), Some(0));
        assert_eq!(shard.find(other).map(|(_, count)| count.number()), Some(5));
        assert_eq!(shard.find(old).map(|(_, count)| count.number()), Some(7));
        assert_eq!(shard.put(None, old, Count::of(9, 8)), None, "it is there, wherever it was found");
        assert_eq!(shard.find(old).map(|(_, count)| count.number()), Some(8));
    }
}
