//! Bytes to counters. Nothing in them is believed before it has been looked at.

use std::io::Read;

use super::{END, LoadError, MAGIC, MOST_BEHIND, Summed, VERSION};
use crate::{
    clock::{Clock, Moment, SECOND, Time},
    counters::Counters,
    entry::Count,
    key::{Key, SHARDS, Seed},
    policy::MAX_WINDOW,
};

impl Counters {
    /// What [`save`](Self::save) has written. Time does not go back behind the moment of writing. Counters whose time is over are left out.
    /// Give it a buffered reader.
    pub fn load(now: Moment, max_keys: usize, from: impl Read) -> Result<Self, LoadError> {
        let mut from = Summed::new(from);
        let (seed, written) = header(&mut from)?;
        let clock = Clock::new(now, Time(0));
        let behind = written.0.saturating_sub(clock.read(now).0).div_ceil(SECOND);
        if behind > MOST_BEHIND {
            return Err(LoadError::Future(behind));
        }
        let counters = Self::with(seed, Clock::new(now, written), max_keys);
        let most = max_keys.saturating_mul(2);
        let number = records(&mut from, &counters, counters.time(now), written, most)?;
        end(from, number)?;
        Ok(counters)
    }
}

fn header(from: &mut Summed<impl Read>) -> Result<(Seed, Time), LoadError> {
    let start: [u8; 8] = from.take().map_err(|error| if matches!(error, LoadError::CutOff) { LoadError::Foreign } else { error })?;
    let [magic @ .., version] = start;
    if magic != *MAGIC {
        return Err(LoadError::Foreign);
    }
    if version != VERSION {
        return Err(LoadError::Version(version));
    }
    Ok((Seed([from.take_u64()?, from.take_u64()?]), Time(from.take_u64()?)))
}

/// Reads up to the mark of the end; how many counters there were.
fn records(from: &mut Summed<impl Read>, to: &Counters, now: Time, written: Time, most: usize) -> Result<u64, LoadError> {
    let mut number = 0;
    loop {
        let shard = from.take_u32()?;
        if shard == END {
            return Ok(number);
        }
        let bits = [from.take_u32()?, from.take_u32()?, from.take_u32()?];
        let count = Count { until: from.take_u32()?, a: from.take_u32()?, b: from.take_u32()? };
        let key = Key { shard, bits };
        check(key, count, written)?;
        number += 1;
        if number > most as u64 {
            return Err(LoadError::TooMany(most));
        }
        if !count.over(now) && !to.put(&mut to.lock(key), None, key, count) {
            return Err(LoadError::Damaged("one counter comes twice"));
        }
    }
}

fn check(key: Key, count: Count, written: Time) -> Result<(), LoadError> {
    if key.shard as usize >= SHARDS {
        return Err(LoadError::Damaged("a counter lies outside"));
    }
    if !key.kept() {
        return Err(LoadError::Damaged("a counter should not have been saved"));
    }
    // A sliding window counts for two lengths.
    if u64::from(count.until) > written.0 / SECOND + 2 * MAX_WINDOW {
        return Err(LoadError::Damaged("a window ends too late"));
    }
    Ok(())
}

fn end(mut from: Summed<impl Read>, number: u64) -> Result<(), LoadError> {
    if from.take_u64()? != number {
        return Err(LoadError::Damaged("counters are missing"));
    }
    let sum = from.sum();
    if from.take::<16>()? != sum {
        return Err(LoadError::Damaged("the checksum is another one"));
    }
    match from.take::<1>() {
        Err(LoadError::CutOff) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(LoadError::Damaged("something follows its end")),
    }
}
