//! What is promised of a limit that gateways share.

use tollgate_counters::{Epsilon, most_gateways_ahead};

/// A limit that gateways share. In each window of the store's clock no more pass than it says, all gateways together, unless the store fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// The policy.
    pub policy: String,
    /// Requests in a window.
    pub limit: u64,
    /// The window, in seconds.
    pub window: u64,
    /// Whether nothing passes while the store is away. Otherwise each gateway lets its share pass.
    pub strict: bool,
}

/// How many requests more may pass in a window in which something fails, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Excess {
    /// The store restarts empty, or evicts the quota.
    pub store_emptied: u64,
    /// A replica takes over without the last writes, or the store falls back to what it last wrote.
    pub grants_lost: u64,
    /// The store's clock jumps.
    pub clock_jumped: u64,
    /// The store is away, for each gateway that is cut off, and for each of its processes.
    pub share: u64,
}

impl Promise {
    /// When at least so many gateways share it; 0 counts as one.
    pub fn excess(&self, gateways: u32) -> Excess {
        let epsilon = Epsilon { limit: self.limit, gateways: gateways.max(1) };
        Excess {
            store_emptied: epsilon.store_emptied(u64::MAX),
            grants_lost: epsilon.grants_lost(u64::MAX),
            clock_jumped: epsilon.clock_jumped(u64::MAX),
            share: if self.strict { 0 } else { epsilon.shares(1) },
        }
    }

    /// With more gateways than these the store's slices are too small to be fetched before they are used up, and requests wait for it.
    pub fn most_gateways_ahead(&self) -> u64 {
        most_gateways_ahead(self.limit)
    }
}
