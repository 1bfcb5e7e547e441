//! The journal's bytes: a header of 40, then records of 40, each with a checksum of its own.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::entry::{Entry, Seed};

pub(crate) const RECORD: usize = 40;

const MAGIC: &[u8; 8] = b"TGREVOC1";

/// One entry and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub sequence: u64,
    pub entry: Entry,
}

/// What a journal begins with: the key of its digests, and the number that the next record has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub seed: Seed,
    pub next: u64,
}

/// Detects what a crash or a disk does; whoever may write the file may forge it.
fn checksum(seed: Seed, bytes: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher13::new_with_key(&seed.0);
    hasher.write(bytes);
    hasher.finish().to_le_bytes()
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

impl Header {
    pub fn write(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..24].copy_from_slice(&self.seed.0);
        bytes[24..32].copy_from_slice(&self.next.to_le_bytes());
        let check = checksum(self.seed, &bytes[..32]);
        bytes[32..].copy_from_slice(&check);
        bytes
    }

    pub fn read(bytes: &[u8; RECORD]) -> Option<Self> {
        let mut seed = [0; 16];
        seed.copy_from_slice(&bytes[8..24]);
        let header = Self { seed: Seed(seed), next: word(bytes, 24) };
        (&bytes[..8] == MAGIC && bytes[32..] == checksum(header.seed, &bytes[..32])).then_some(header)
    }
}

impl Record {
    pub fn write(&self, seed: Seed) -> [u8; RECORD] {
        let (high, low) = self.entry.halves();
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[8..16].copy_from_slice(&high.to_le_bytes());
        bytes[16..24].copy_from_slice(&low.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.entry.expires.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.entry.before.to_le_bytes());
        let check = checksum(seed, &bytes[..32]);
        bytes[32..].copy_from_slice(&check);
        bytes
    }

    pub fn read(seed: Seed, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != RECORD || bytes[32..] != checksum(seed, &bytes[..32]) {
            return None;
        }
        let times = word(bytes, 24).to_le_bytes();
        let half = |at: usize| u32::from_le_bytes([times[at], times[at + 1], times[at + 2], times[at + 3]]);
        let entry = Entry::from_halves(word(bytes, 8), word(bytes, 16), half(0), half(4))?;
        Some(Self { sequence: word(bytes, 0), entry })
    }
}
