//! Whose counter: a policy and the parts that tell callers apart, hashed under a key that no client knows.

use siphasher::sip128::{Hash128, Hasher128, SipHasher13};
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::{lease::QuotaId, policy::Policy};

/// As many shards as keep threads apart, and a pause for one of them below a millisecond.
pub(crate) const SHARDS: usize = 4096;

/// Lowest bit of the key: set if its counter is worth a file. The hand that sees only entries must know.
const KEPT: u32 = 1;

/// A counter's name: 107 bits of a keyed hash. Sorted as locks are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) shard: u32,
    pub(crate) bits: [u32; 3],
}

impl Key {
    /// What the shard's table sorts by.
    pub(crate) fn hash(bits: &[u32; 3]) -> u64 {
        u64::from(bits[1]) << 32 | u64::from(bits[2])
    }

    /// Whether its counter is worth a file.
    pub(crate) fn kept(self) -> bool {
        self.bits[0] & KEPT != 0
    }
}

/// The key of the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub [u64; 2]);

impl Seed {
    /// A new one, from the system's randomness.
    pub fn random() -> Self {
        let state = RandomState::new();
        Self([state.hash_one(0_u8), state.hash_one(1_u8)])
    }

    /// A policy's key for these parts.
    pub fn key(self, policy: &Policy, parts: &[&[u8]]) -> Key {
        let hash = hash(SipHasher13::new_with_keys(self.0[0], self.0[1]), policy, parts);
        let kept = if policy.kept { KEPT } else { 0 };
        let shard = (hash.h1 as u32) % SHARDS as u32;
        Key { shard, bits: [(hash.h1 >> 32) as u32 & !KEPT | kept, (hash.h2 >> 32) as u32, hash.h2 as u32] }
    }
}

/// Up to so many bytes are hashed in one piece: to feed a hasher piece by piece costs more than the hash.
const SHORT: usize = 192;

/// Each part goes in with its length, or `["app1", "23"]` would be `["app12", "3"]`.
fn hash(mut hasher: SipHasher13, policy: &Policy, parts: &[&[u8]]) -> Hash128 {
    let (mut short, mut length) = ([0; SHORT], 0);
    let mut write = |bytes: &[u8]| {
        if bytes.len() > SHORT - length {
            hasher.write(&short[..length]);
            length = 0;
        }
        match short.get_mut(length..length + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                length += bytes.len();
            }
            None => hasher.write(bytes),
        }
    };
    write(&policy.number);
    for part in parts {
        write(&(part.len() as u64).to_le_bytes());
        write(part);
    }
    hasher.write(&short[..length]);
    hasher.finish128()
}

/// The name of a shared quota: the same in every process, so hashed without a secret. A counter's key is made of it under this process's
/// secret, so that nobody can search names that fill one shard.
pub(crate) fn quota_id(policy: &Policy, parts: &[&[u8]]) -> QuotaId {
    QuotaId(hash(SipHasher13::new(), policy, parts).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Algorithm, Limit};

    /// Saved counters are found by it, whatever the pieces.
    #[test]
    fn a_key_is_the_hash_of_its_parts_however_long_they_are() {
        let policy = Policy::new("some", Algorithm::Fixed, Limit::Requests(1), 60).unwrap();
        let long = vec![7; 3 * SHORT];
        for lengths in
            [[0, 0], [1, 4], [SHORT - 33, 1], [SHORT - 32, 1], [SHORT, 5], [2, 3 * SHORT], [3 * SHORT, 3 * SHORT], [SHORT - 16, SHORT]]
        {
            let parts = lengths.map(|length| &long[..length]);
            let mut hasher = SipHasher13::new();
            hasher.write(&policy.number);
            for part in parts {
                hasher.write(&(part.len() as u64).to_le_bytes());
                hasher.write(part);
            }
            assert_eq!(quota_id(&policy, &parts).0, hasher.finish128().as_bytes(), "{lengths:?}");
        }
    }
}
