//! What a shared policy says to its leases.

use std::time::Duration;

use crate::clock::SECOND;

/// What a gateway lets pass while the store is away, of a quota of which it has nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// Its share, which is the limit by the number of gateways: once in each window, for the part of the window that is left, without
    /// what it was already granted in it.
    Share,
    /// Nothing.
    Strict,
}

/// A limit that all gateways keep together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub limit: u64,
    /// The window.
    pub seconds: u32,
    pub away: Away,
}

impl Terms {
    pub fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }

    /// The window in nanoseconds.
    pub fn length(&self) -> u64 {
        u64::from(self.seconds) * SECOND
    }

    /// How far two clocks may have drifted apart in a window.
    pub fn drift(&self) -> u64 {
        drift(self.length())
    }
}

/// 0.1 % of a time: clocks of computers that are not broken do not drift further.
pub(super) fn drift(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000)
}
