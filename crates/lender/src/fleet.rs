//! How many gateways share the store.
//!
//! A number that is too high makes slices and shares small. One that is too low costs nothing while the store answers, for it grants no more than
//! the limit to all together; but while it is away each gateway lets limit/N pass. So a number that rises is believed at once, and one
//! that falls only after it has stayed low: a store that restarts empty has counted few.

use std::time::{Duration, Instant};

/// For so long a lower number must hold before it is believed.
const DOUBTED: Duration = Duration::from_secs(10);

/// What is believed.
pub(crate) struct Fleet {
    /// Somebody said that there are so many at least.
    least: u32,
    /// 0 as long as nobody knows.
    believed: u32,
    /// The highest number counted since then.
    lower: u32,
    since: Instant,
}

impl Fleet {
    pub(crate) fn new(least: u32, now: Instant) -> Self {
        Self { least, believed: least, lower: 0, since: now }
    }

    pub(crate) fn believed(&self) -> u32 {
        self.believed
    }

    /// The store was away: what it counts now may not be complete.
    pub(crate) fn doubt(&mut self, now: Instant) {
        (self.lower, self.since) = (0, now);
    }

    /// The store has counted.
    pub(crate) fn counted(&mut self, gateways: u32, now: Instant) {
        let gateways = gateways.max(self.least);
        if gateways >= self.believed {
            self.believed = gateways;
            return self.doubt(now);
        }
        self.lower = self.lower.max(gateways);
        if now.saturating_duration_since(self.since) >= DOUBTED {
            self.believed = self.lower;
            self.doubt(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_rises_is_believed_at_once_and_one_that_falls_later() {
        let begin = Instant::now();
        let mut fleet = Fleet::new(0, begin);
        assert_eq!(fleet.believed(), 0, "nobody knows");
        let at = |seconds| begin + Duration::from_secs(seconds);
        for (seconds, counted, believed) in
            [(0, 4, 4), (1, 3, 4), (5, 2, 4), (10, 2, 3), (11, 2, 3), (12, 5, 5), (21, 1, 5), (22, 5, 5), (31, 1, 5), (32, 2, 2)]
        {
            fleet.counted(counted, at(seconds));
            assert_eq!(fleet.believed(), believed, "after {seconds} s");
        }
    }

    #[test]
    fn a_store_that_was_away_has_to_count_anew() {
        let begin = Instant::now();
        let mut fleet = Fleet::new(2, begin);
        fleet.counted(9, begin);
        let back = begin + Duration::from_secs(60);
        fleet.doubt(back);
        fleet.counted(1, back);
        assert_eq!(fleet.believed(), 9);
        fleet.counted(1, back + DOUBTED);
        assert_eq!(fleet.believed(), 2, "never less than was said");
    }
}
