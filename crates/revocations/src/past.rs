//! Until when entries may be let go of.

use std::time::{Duration, Instant};

/// How long the wall clock must stay beyond a time before that counts as past.
const WHILE: Duration = Duration::from_secs(600);

/// A time that the wall clock did not go back behind for a while. Where it steps ahead, and back when somebody has noticed, nothing was
/// let go of meanwhile: tokens that seemed to have ended are good again then, and those that were revoked must be known.
#[derive(Debug)]
pub(crate) struct Past {
    since: Instant,
    /// Of what the clock showed since then.
    earliest: u32,
    believed: u32,
}

impl Past {
    pub fn new(wall: u32, at: Instant) -> Self {
        Self { since: at, earliest: wall, believed: wall }
    }

    /// What the clock shows now, and what has passed by that for sure.
    pub fn reckon(&mut self, wall: u32, at: Instant) -> u32 {
        self.earliest = self.earliest.min(wall);
        if at.saturating_duration_since(self.since) >= WHILE {
            *self = Self { since: at, earliest: wall, believed: self.earliest };
        }
        self.believed.min(wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_is_what_the_clock_did_not_go_back_behind_for_a_while() {
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut past = Past::new(1000, begin);
        assert_eq!((past.reckon(1300, at(300)), past.reckon(1599, at(599))), (1000, 1000));
        assert_eq!(past.reckon(1600, at(600)), 1000);
        // It was wrong for a moment, and goes wrong again.
        assert_eq!((past.reckon(500, at(700)), past.reckon(1800, at(800))), (500, 1000));
        assert_eq!((past.reckon(2200, at(1200)), past.reckon(9000, at(1300))), (500, 500));
        assert_eq!(past.reckon(9500, at(1800)), 2200);
    }
}
