//! What passes while the store is away.

use super::{Away, Known, Lease, Terms};
use crate::clock::{SECOND, Time};

/// What is left of the share, and the end of the window that it is for, by this process's clock, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub end: u64,
    pub left: u64,
}

impl Lease {
    /// What it may still let through in this window without the store. Once a share was begun, no second one is made for the window.
    pub(super) fn share(&self, now: Time, terms: &Terms, fleet: Known) -> Share {
        let (length, number) = (terms.length(), now.0 / terms.length());
        let end = (number + 1) * u64::from(terms.seconds);
        if self.share.end >= end {
            return self.share;
        }
        let left = match terms.away {
            Away::Strict => 0,
            Away::Share => {
                let whole = self.fair(terms, fleet, number);
                let time = (end * SECOND).saturating_sub(now.0);
                u64::try_from(u128::from(whole) * u128::from(time) / u128::from(length)).unwrap_or(0)
            }
        };
        Share { end, left }
    }

    /// Its part of what may be left, and never more than its part of the limit with what it was granted.
    fn fair(&self, terms: &Terms, fleet: Known, number: u64) -> u64 {
        if self.window.number != number {
            return fleet.part(terms.limit);
        }
        let part = fleet.part(terms.limit.saturating_sub(self.window.total));
        part.min(fleet.part(terms.limit).saturating_sub(self.window.granted))
    }
}
