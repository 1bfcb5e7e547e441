//! Counters to bytes.

use std::io::{self, Write};

use super::{END, HEADER, MAGIC, Summed, VERSION, record};
use crate::{clock::Moment, counters::Counters};

impl Counters {
    /// Writes all counters whose window is a day or longer; says how many. Requests go on meanwhile: each shard is copied under its
    /// lock, and what is counted afterwards is not in the file. Give it a buffered writer.
    pub fn save(&self, now: Moment, to: impl Write) -> io::Result<u64> {
        let now = self.time(now);
        let mut to = Summed::new(to);
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.push(VERSION);
        for number in [self.seed().0[0], self.seed().0[1], now.0] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        to.put(&header)?;
        let (mut number, mut copy) = (0, Vec::new());
        for shard in self.shard_numbers() {
            copy.clear();
            self.lock_shard(shard).copy_kept(now, &mut copy);
            for entry in &copy {
                to.put(&record(shard, entry))?;
            }
            number += copy.len() as u64;
        }
        to.put(&END.to_le_bytes())?;
        to.put(&number.to_le_bytes())?;
        let sum = to.sum();
        to.put(&sum)?;
        to.inner.flush()?;
        Ok(number)
    }
}
