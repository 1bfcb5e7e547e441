//! How long to wait before the next attempt.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// First wait after a failure.
const SHORTEST: Duration = Duration::from_millis(200);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double, of 0.2 s at first and 10 s at most unless somebody says otherwise, each less up to half of it at random: a server that comes
/// back is not met by all its clients at once.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    shortest: Duration,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::between(SHORTEST, LONGEST)
    }
}

impl Backoff {
    /// Waits of that long at first, and at most.
    pub fn between(shortest: Duration, longest: Duration) -> Self {
        Self { next: shortest, shortest, longest }
    }

    /// An attempt has ended. What held for longer than the next wait was a success, after which waits are short again.
    pub fn ended(&mut self, held: Option<Duration>) {
        if held.is_some_and(|held| held > self.next) {
            self.next = self.shortest;
        }
    }

    /// How long to wait now; the next time it is twice as long.
    pub fn wait(&mut self) -> Duration {
        let wait = jittered(self.next);
        self.next = self.longest.min(self.next * 2);
        wait
    }
}

/// Between half of `time` and all of it.
fn jittered(time: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    time - time.mul_f64(0.5 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_takes_away_at_most_half_and_differs() {
        let whole = Duration::from_secs(100);
        let all: std::collections::BTreeSet<_> = (0..50).map(|_| jittered(whole)).collect();
        assert!(all.iter().all(|time| *time <= whole && *time >= whole / 2));
        assert!(all.len() > 10);
    }

    #[test]
    fn waits_grow_to_a_limit_and_are_short_again_after_a_success() {
        let mut backoff = Backoff::default();
        for _ in 0..10 {
            backoff.ended(None);
            assert!(backoff.wait() <= LONGEST);
        }
        assert!(backoff.wait() >= LONGEST / 2);
        backoff.ended(Some(Duration::from_secs(1)));
        assert!(backoff.wait() >= LONGEST / 2, "what broke at once was no success");
        backoff.ended(Some(LONGEST * 2));
        assert!(backoff.wait() <= SHORTEST);
    }
}
