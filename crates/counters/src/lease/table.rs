//! The leases of one shard.

use hashbrown::HashTable;

use super::Lease;
use crate::{clock::Time, entry::Entry, key::Key};

/// How many counters take as much memory as a lease: it counts as that many keys.
pub(crate) const WEIGHT: usize = size_of::<Lease>().div_ceil(size_of::<Entry>());

/// The table is not made smaller below this.
const SMALLEST: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Leases {
    table: HashTable<Lease>,
    hand: usize,
}

impl Leases {
    /// The bucket in which it lies.
    pub fn find(&self, key: Key) -> Option<usize> {
        self.table.find_bucket_index(Key::hash(&key.bits), |lease| lease.key == key.bits)
    }

    pub fn get(&self, bucket: usize) -> Option<&Lease> {
        self.table.get_bucket(bucket)
    }

    /// The lease, wherever it lies by now.
    pub fn get_mut(&mut self, bucket: Option<usize>, key: Key) -> Option<&mut Lease> {
        let known = bucket.filter(|bucket| self.get(*bucket).is_some_and(|lease| lease.key == key.bits));
        let bucket = known.or_else(|| self.find(key))?;
        self.table.get_bucket_mut(bucket)
    }

    pub fn insert(&mut self, lease: Lease) {
        self.table.insert_unique(lease.hash(), lease, Lease::hash);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.table.iter()
    }

    /// Looks at that many buckets more; how many keys that makes free.
    pub fn sweep(&mut self, buckets: usize, now: Time) -> usize {
        crate::shard::sweep(&mut self.table, &mut self.hand, buckets, |lease| lease.over(now)) * WEIGHT
    }

    /// Looks at all buckets, and gives memory back if most of it is unused; how many keys that makes free.
    pub fn tidy(&mut self, now: Time) -> usize {
        let removed = self.sweep(self.table.num_buckets(), now);
        if self.table.capacity() > SMALLEST.max(self.table.len() * 4) {
            self.table.shrink_to(self.table.len() * 2, Lease::hash);
        }
        removed
    }

    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.table.allocation_size()
    }
}
