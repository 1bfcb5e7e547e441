//! How many requests of the last while there were, and how many of them failed. No lock: a bucket is one word.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Most buckets of a window.
const MOST_BUCKETS: u64 = 1000;
/// Largest count of a bucket, 18 bits; beyond, both counts are halved.
const MOST: u64 = (1 << 18) - 1;
/// Numbers of buckets, 28 bits, begin anew after the last: with buckets of 10 ms after a month.
const NUMBERS: u64 = (1 << 28) - 1;

/// A rolling window.
#[derive(Debug)]
pub(super) struct Rolling {
    bucket: u64,
    buckets: Box<[AtomicU64]>,
}

/// The bucket's number, 28 bits; then how many requests and how many failures, 18 bits each.
#[derive(Clone, Copy)]
struct Bucket {
    number: u64,
    total: u64,
    failed: u64,
}

impl Bucket {
    fn of(word: u64) -> Self {
        Self { number: word >> 36, total: (word >> 18) & MOST, failed: word & MOST }
    }

    fn word(self) -> u64 {
        (self.number << 36) | (self.total << 18) | self.failed
    }

    fn counted(mut self, failed: bool) -> Self {
        if self.total == MOST {
            (self.total, self.failed) = (self.total / 2, self.failed / 2);
        }
        self.total += 1;
        self.failed += u64::from(failed);
        self
    }
}

impl Rolling {
    /// A window that rolls by so much at a time.
    pub(super) fn new(window: Duration, bucket: Duration) -> Self {
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
        let bucket = u64::try_from(bucket.as_millis()).unwrap_or(u64::MAX).max(window.div_ceil(MOST_BUCKETS)).clamp(1, window);
        let count = window.div_ceil(bucket);
        Self { bucket, buckets: (0..count).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts a request, at so many milliseconds.
    pub(super) fn count(&self, now: u64, failed: bool) {
        let number = self.number(now);
        let slot = &self.buckets[(number % self.buckets.len() as u64) as usize];
        let number = number & NUMBERS;
        let _ = slot.fetch_update(Relaxed, Relaxed, |word| {
            let bucket = Bucket::of(word);
            let current = if bucket.number == number { bucket } else { Bucket { number, total: 0, failed: 0 } };
            Some(current.counted(failed).word())
        });
    }

    /// Requests of the window, and how many of them failed.
    pub(super) fn sum(&self, now: u64) -> (u64, u64) {
        let number = self.number(now);
        let current = |bucket: &Bucket| number.wrapping_sub(bucket.number) & NUMBERS < self.buckets.len() as u64;
        let buckets = self.buckets.iter().map(|slot| Bucket::of(slot.load(Relaxed))).filter(|bucket| bucket.total > 0 && current(bucket));
        buckets.fold((0, 0), |(total, failed), bucket| (total + bucket.total, failed + bucket.failed))
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.buckets.iter().for_each(|slot| slot.store(0, Relaxed));
    }

    fn number(&self, now: u64) -> u64 {
        now / self.bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolling() -> Rolling {
        Rolling::new(Duration::from_secs(60), Duration::from_secs(10))
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let rolling = rolling();
        rolling.count(0, true);
        rolling.count(15_000, false);
        assert_eq!(rolling.sum(59_999), (2, 1));
        assert_eq!(rolling.sum(60_000), (1, 0));
        assert_eq!(rolling.sum(75_000), (0, 0));
        rolling.count(60_000, true);
        assert_eq!(rolling.sum(60_000), (2, 1));
        rolling.clear();
        assert_eq!(rolling.sum(60_000), (0, 0));
    }

    #[test]
    fn no_request_is_lost_among_threads() {
        let rolling = rolling();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let rolling = &rolling;
                scope.spawn(move || (0..10_000).for_each(|count| rolling.count(count, thread == 0)));
            }
        });
        assert_eq!(rolling.sum(10_000), (40_000, 10_000));
    }

    #[test]
    fn a_bucket_that_is_full_keeps_its_share() {
        let rolling = rolling();
        (0..1_000_000).for_each(|count| rolling.count(0, count % 4 == 0));
        let (total, failed) = rolling.sum(0);
        assert!(total > 100_000 && (total / 4).abs_diff(failed) < total / 100, "{total} {failed}");
    }

    #[test]
    fn a_window_of_any_size_has_a_bucket() {
        for (window, bucket) in [(0, 0), (1, 5), (5, 1), (1_000_000, 1), (7, 3)] {
            let rolling = Rolling::new(Duration::from_millis(window), Duration::from_millis(bucket));
            rolling.count(123, true);
            assert_eq!(rolling.sum(123), (1, 1), "{window} {bucket}");
        }
    }
}
