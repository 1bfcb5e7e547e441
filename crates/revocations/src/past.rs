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
