//! How many requests of a client are in progress, by an estimate that takes no memory for a client.
//!
//! The estimate (`pingora-limits`, a count-min sketch of 256 KiB) is never too low, and too high for a client that meets others at all four of
//! its places: with 20,000 requests of different clients in progress, three of four new clients are taken for more than one. So it suits a
//! limit far above what a good client needs, against floods, and no promise to a customer: that is what exact limits are for.

use pingora_limits::inflight::{Guard, Inflight};

/// The requests in progress.
pub struct Shield(Inflight);

/// A request in progress, until it is dropped.
pub struct InProgress(#[expect(dead_code, reason = "its drop counts")] Guard);

impl Default for Shield {
    fn default() -> Self {
        Self(Inflight::new())
    }
}

impl Shield {
    /// One more request of a client, unless that would make more than `most`.
    pub fn enter(&self, client: &[u8], most: u32) -> Option<InProgress> {
        let (guard, about) = self.0.incr(client, 1);
        (about <= most as isize).then_some(InProgress(guard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_as_many_requests_in_progress_as_it_may_and_again_when_they_are_over() {
        let shield = Shield::default();
        let mut open: Vec<_> = (0..3).filter_map(|_| shield.enter(b"one", 3)).collect();
        assert_eq!(open.len(), 3);
        assert!(shield.enter(b"one", 3).is_none(), "and what was refused is not in progress");
        assert!(shield.enter(b"other", 3).is_some());
        open.pop();
        assert!(shield.enter(b"one", 3).is_some());
    }
}
