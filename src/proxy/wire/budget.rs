//! What a client may send over HTTP/2 that asks for nothing.
//!
//! A client has an allowance of control frames. Time fills it up to its size. Answers add to it what ordinary clients send for them, which
//! is to open windows, and to measure the way.

use std::time::{Duration, Instant};

/// In what time an empty allowance is filled.
const REFILL: Duration = Duration::from_secs(10);

/// The most that answers may add: what clients send for some 50 MB on their way.
const EARNED: u64 = 100_000;

/// The allowance of one connection.
#[derive(Debug)]
pub struct Budget {
    size: u64,
    left: u64,
    filled: Instant,
}

impl Budget {
    /// A full one.
    pub fn new(size: u32, now: Instant) -> Self {
        Self { size: size.into(), left: size.into(), filled: now }
    }

    /// Adds to it, for answers.
    pub fn earn(&mut self, frames: u64) {
        self.left = (self.left + frames).min(self.size + EARNED);
    }

    /// Takes from it; `false` when there is too little. The clock is read only then.
    pub fn spend(&mut self, frames: u64, now: impl FnOnce() -> Instant) -> bool {
        if self.left < frames {
            self.fill(now());
        }
        let left = self.left.checked_sub(frames);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).min(REFILL);
        let frames = u128::from(self.size) * passed.as_micros() / REFILL.as_micros();
        if frames > 0 {
            // Not more than its size.
            self.left = (self.left + frames as u64).min(self.size);
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_comes_back_with_time_and_never_beyond_the_size() {
        let begun = Instant::now();
        let mut budget = Budget::new(100, begun);
        let at = |seconds| move || begun + Duration::from_secs(seconds);
        assert!((0..100).all(|_| budget.spend(1, at(0))));
        assert!(!budget.spend(1, at(0)));
        assert!((0..10).all(|_| budget.spend(1, at(1))));
        assert!(!budget.spend(1, at(1)));
        assert!((0..100).all(|_| budget.spend(1, at(1000))));
        assert!(!budget.spend(1, at(1000)));
    }

    #[test]
    fn what_is_spent_at_the_pace_of_the_refill_never_ends() {
        let begun = Instant::now();
        let mut budget = Budget::new(1000, begun);
        assert!((0..100_000).all(|n| budget.spend(1, || begun + Duration::from_millis(10 * n))));
    }

    #[test]
    fn answers_pay_for_more_than_the_size_and_not_without_end() {
        let begun = Instant::now();
        let mut budget = Budget::new(10, begun);
        budget.earn(50);
        assert!((0..60).all(|_| budget.spend(1, || begun)));
        assert!(!budget.spend(1, || begun));
        budget.earn(u64::from(u32::MAX));
        assert!(budget.spend(EARNED + 10, || begun));
        assert!(!budget.spend(1, || begun));
    }
}
