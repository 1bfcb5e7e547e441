//! By how much a shared quota may be exceeded in a window, for each way in which its store may fail.

/// What may pass above the limit of a shared quota in one window. As long as the store keeps what it granted and its clock goes on, that
/// is nothing, whatever happens to gateways, to the network and to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epsilon {
    /// The quota's limit.
    pub limit: u64,
    /// How many gateways share it.
    pub gateways: u32,
}

impl Epsilon {
    /// When the store comes back empty or evicts the quota, having granted that much in the window before. The limit at most; what a
    /// gateway still has seen granted, and reports in time, is not granted again.
    pub fn store_emptied(&self, granted: u64) -> u64 {
        self.limit.min(granted)
    }

    /// When the store falls back to an earlier state (a fail-over, an append-only file that is written each second), and with that loses
    /// that much of what it granted in the window.
    pub fn grants_lost(&self, lost: u64) -> u64 {
        self.limit.min(lost)
    }

    /// When the store's clock jumps over the edge of a window while gateways hold that many credits: they are used up in the window
    /// beside their own.
    pub fn clock_jumped(&self, held: u64) -> u64 {
        self.limit.min(held)
    }

    /// When that many processes let their share pass while the store is away ([`Away::Share`](crate::Away::Share)): each has one in a
    /// window of its own clock, of which two may fall into one of the store's. A gateway that was restarted is another process.
    pub fn shares(&self, processes: u32) -> u64 {
        let share = self.limit.checked_div(u64::from(self.gateways)).unwrap_or(0);
        2 * share.saturating_mul(u64::from(processes))
    }
}
