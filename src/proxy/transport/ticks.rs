//! Time limits that end together.
//!
//! The engine keeps a timer for each hundredth of a second in which some limit ends, until it ends: for limits of a minute, six
//! thousand of them under load, each made, searched and forgotten. Limits that end on whole seconds share one a second.

use std::time::Duration;

const TICK: Duration = Duration::from_secs(1);

/// What is shorter is kept to the letter: a second more would be felt.
const SHORT: Duration = Duration::from_secs(10);

/// A limit that begins now, prolonged to the next whole second after `now`, which counts from any fixed moment.
pub fn gathered(limit: Duration, now: Duration) -> Duration {
    if limit < SHORT {
        return limit;
    }
    limit + TICK - Duration::from_nanos(u64::from(now.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_limits_that_begin_within_a_second_end_together() {
        let begins = [0, 1, 499_999_999, 999_999_999].map(|nanos| Duration::new(7, nanos));
        for begin in begins {
            assert_eq!(begin + gathered(Duration::from_secs(60), begin), Duration::from_secs(68));
        }
    }

    #[test]
    fn no_limit_becomes_shorter_and_short_ones_stay() {
        let now = Duration::from_millis(1_700);
        for millis in [1, 500, 9_999] {
            assert_eq!(gathered(Duration::from_millis(millis), now), Duration::from_millis(millis));
        }
        for seconds in [10, 60, 3_600] {
            let limit = gathered(Duration::from_secs(seconds), now);
            assert!(limit > Duration::from_secs(seconds) && limit <= Duration::from_secs(seconds + 1));
        }
    }
}
