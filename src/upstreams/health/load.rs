//! What is in progress at an endpoint, and how soon it answers.
//!
//! The time is a peak EWMA, as in Finagle: a slow answer counts at once, quick ones make it good by and by. Nobody who has answered nothing
//! yet is preferred for it: the first request measures, the others meet it as one in progress.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// After so many milliseconds an old time counts for a third.
const DECAY: f32 = 10_000.0;

/// An endpoint's load.
#[derive(Debug, Default)]
pub(in crate::upstreams) struct Load {
    active: AtomicU32,
    /// The time to the head of an answer, in milliseconds, as the bits of an `f32`; and when that was known, in milliseconds.
    latency: AtomicU64,
}

impl Load {
    /// Requests in progress.
    pub(in crate::upstreams) fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }

    /// One begins.
    pub(in crate::upstreams) fn begin(&self) {
        self.active.fetch_add(1, Relaxed);
    }

    /// One begins, unless so many are in progress.
    pub(in crate::upstreams) fn begin_below(&self, most: u32) -> bool {
        self.active.fetch_update(Relaxed, Relaxed, |active| (active < most).then_some(active + 1)).is_ok()
    }

    /// One is over.
    pub(in crate::upstreams) fn end(&self) {
        self.active.fetch_sub(1, Relaxed);
    }

    /// An answer began after so many milliseconds.
    pub(in crate::upstreams) fn answered(&self, now: u64, took: f32) {
        let now32 = now as u32;
        let _ = self.latency.fetch_update(Relaxed, Relaxed, |word| {
            let (known, at) = parts(word);
            let old = now32.wrapping_sub(at) as f32;
            let keep = (-old / DECAY).exp();
            let next = if took >= known { took } else { known * keep + took * (1.0 - keep) };
            Some(word_of(next.max(f32::MIN_POSITIVE), now32))
        });
    }

    /// What one more request is likely to wait for, relative to others.
    pub(in crate::upstreams) fn cost(&self, now: u64) -> f32 {
        let (known, at) = parts(self.latency.load(Relaxed));
        let active = self.active() as f32;
        if known == 0.0 {
            return if active == 0.0 { 0.0 } else { f32::MAX };
        }
        // What was slow long ago may be quick by now: somebody has to find out.
        let old = (now as u32).wrapping_sub(at) as f32;
        known * (-old / DECAY).exp() * (active + 1.0)
    }

    /// The time to the head of an answer, in milliseconds; `None` before the first.
    pub(in crate::upstreams) fn latency(&self) -> Option<f32> {
        let (known, _) = parts(self.latency.load(Relaxed));
        (known > 0.0).then_some(known)
    }
}

fn parts(word: u64) -> (f32, u32) {
    (f32::from_bits((word >> 32) as u32), word as u32)
}

fn word_of(latency: f32, at: u32) -> u64 {
    (u64::from(latency.to_bits()) << 32) | u64::from(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_counts_at_once_and_quick_ones_make_it_good_by_and_by() {
        let load = Load::default();
        load.answered(0, 10.0);
        load.answered(100, 1000.0);
        assert_eq!(load.latency(), Some(1000.0));
        load.answered(200, 10.0);
        assert!(load.latency().unwrap() > 900.0);
        load.answered(20_200, 10.0);
        assert!(load.latency().unwrap() < 200.0);
    }

    #[test]
    fn who_has_more_in_progress_costs_more_and_who_was_slow_long_ago_is_tried() {
        let (slow, quick) = (Load::default(), Load::default());
        slow.answered(0, 500.0);
        quick.answered(0, 5.0);
        assert!(slow.cost(0) > quick.cost(0));
        (0..200).for_each(|_| quick.begin());
        assert!(slow.cost(0) < quick.cost(0));
        (0..200).for_each(|_| quick.end());
        quick.answered(60_000, 5.0);
        assert!(slow.cost(60_000) < quick.cost(60_000));
    }

    #[test]
    fn of_one_that_has_answered_nothing_yet_one_request_finds_out() {
        let (new, known) = (Load::default(), Load::default());
        known.answered(0, 5.0);
        assert!(new.cost(0) < known.cost(0));
        new.begin();
        assert!(new.cost(0) > known.cost(0));
    }

    #[test]
    fn no_more_begin_than_may() {
        let load = Load::default();
        assert!(load.begin_below(2) && load.begin_below(2) && !load.begin_below(2));
        load.end();
        assert!(load.begin_below(2));
        assert_eq!(load.active(), 2);
    }
}
