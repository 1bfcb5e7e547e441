//! Counters that survive a restart: those whose window is a day or longer.
//!
//! The file is a header, one record a counter, and an end with their number and a checksum:
//!
//! | part | bytes, little endian |
//! |---|---|
//! | header | `tollcnt`, version 1 (1 byte), key of the hash (2 × 8), time of writing in ns since 1970 (8) |
//! | counter | shard (4), key (3 × 4), until (4), two numbers (2 × 4) |
//! | end | 0xFFFFFFFF (4), number of counters (8), SipHash-1-3-128 of all before (16) |
//!
//! The checksum finds damage, not forgery: who may write the file may set any counter. Who may read it can make two keys meet, so it is
//! written for its owner only.

mod file;
mod read;
mod write;

pub use file::replace_file;

use std::{hash::Hasher, io};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{
    entry::{Count, Entry},
    policy::DAY,
};

const MAGIC: &[u8; 7] = b"tollcnt";
const VERSION: u8 = 1;
const HEADER: usize = 32;
const RECORD: usize = 28;

/// Where a record has its shard.
const END: u32 = u32::MAX;

/// How far the clock may stand behind the file's time of writing, in seconds.
const MOST_BEHIND: u64 = DAY;

/// Why saved counters cannot be used, and the way out.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Something else, or nothing.
    #[error("holds no counters; name another file, or remove this one")]
    Foreign,
    /// Of a later release.
    #[error("is of version {0}, and this release reads version {VERSION}; use the release that wrote it, or remove it to count from 0")]
    Version(u8),
    /// It ends too early.
    #[error("is cut off; restore it, or remove it to count from 0")]
    CutOff,
    /// It says what no gateway writes.
    #[error("is damaged ({0}); restore it, or remove it to count from 0")]
    Damaged(&'static str),
    /// More than twice as many counters as there may be.
    #[error("holds more than {0} counters; allow more keys, or remove it to count from 0")]
    TooMany(usize),
    /// The clock stands far behind it.
    #[error("was written {0} s after what the clock says now; set the clock, or remove the file to count from 0")]
    Future(u64),
}

/// Reads or writes, and sums up what goes by.
struct Summed<T> {
    inner: T,
    sum: SipHasher13,
}

impl<T> Summed<T> {
    fn new(inner: T) -> Self {
        Self { inner, sum: SipHasher13::new() }
    }

    fn sum(&self) -> [u8; 16] {
        self.sum.finish128().as_bytes()
    }
}

impl<W: io::Write> Summed<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.write(bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: io::Read> Summed<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => LoadError::CutOff,
            _ => LoadError::Read(error),
        })?;
        self.sum.write(&bytes);
        Ok(bytes)
    }

    fn take_u64(&mut self) -> Result<u64, LoadError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    fn take_u32(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.take()?))
    }
}

fn record(shard: u32, entry: &Entry) -> [u8; RECORD] {
    let Entry { key: [x, y, z], count: Count { until, a, b } } = *entry;
    let mut bytes = [0; RECORD];
    for (place, number) in bytes.chunks_exact_mut(4).zip([shard, x, y, z, until, a, b]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}
