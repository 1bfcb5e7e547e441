//! What is limited: how much, in which window, by which algorithm. What cannot be enforced exactly is refused here.

use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

use crate::{
    algorithm::{Gcra, Rule},
    clock::SECOND,
    lease::{Away, Terms},
};

/// The largest limit: what a field of `RateLimit` can hold (RFC 9651 §3.3.1).
pub const MAX_LIMIT: u64 = 999_999_999_999_999;

/// The longest window in seconds: a leap year.
pub const MAX_WINDOW: u64 = 366 * DAY;

pub(crate) const DAY: u64 = 86_400;

/// The largest limit of a sliding window: each of its two buckets has 32 bits.
const MAX_SLIDING: u64 = u32::MAX as u64;

/// The shortest time between two requests of a GCRA, in nanoseconds: it is rounded up to a whole one, and shall be exact to 0.1 %.
const MIN_INTERVAL: u64 = 1_000;

/// How a limit is spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Windows that begin at multiples of their length since 1970-01-01 UTC. At most twice the limit passes in some stretch as long as
    /// a window: at its end and at the beginning of the next.
    Fixed,
    /// The current window and the one before, which counts by the share of it that lies within one window's length from now. No
    /// sudden doubling at the edge; a caller that times its requests still gets nearly twice the limit into some stretch.
    Sliding,
    /// A bucket that refills steadily (generic cell rate algorithm).
    Gcra {
        /// How many requests may come at once.
        burst: u64,
    },
}

/// How much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// That many requests.
    Requests(u64),
    /// That many bytes; with [`Algorithm::Fixed`] only.
    Bytes(u64),
}

/// One limit, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Goes into its keys.
    pub(crate) number: [u8; 16],
    pub(crate) rule: Rule,
    /// Whether its counters are worth a file.
    pub(crate) kept: bool,
}

/// Why a policy cannot be enforced, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing would pass.
    #[error("a limit of 0 lets nothing pass; set at least 1, or block the caller instead")]
    ZeroLimit,
    /// More than `RateLimit` can say.
    #[error("a limit of {0} is more than the {MAX_LIMIT} that a RateLimit field can hold; set a lower one")]
    LargeLimit(u64),
    /// A window without length.
    #[error("a window of 0 seconds counts nothing; set at least 1 second")]
    ZeroWindow,
    /// A window longer than a year.
    #[error("a window of {0} seconds is longer than the longest, {MAX_WINDOW} seconds (366 days); set a shorter one")]
    LongWindow(u64),
    /// A bucket without room.
    #[error("a burst of 0 lets nothing pass; set at least 1")]
    ZeroBurst,
    /// Bytes by another algorithm than `fixed`.
    #[error("a limit on bytes needs the algorithm `fixed`; choose that, or limit requests")]
    BytesNeedFixed,
    /// Too many for a bucket of a sliding window.
    #[error("a sliding window counts to {MAX_SLIDING}, not to {0}; choose the algorithm `fixed`, or set a lower limit")]
    LargeSliding(u64),
    /// Faster than `gcra` can measure.
    #[error("{limit} requests in {window} seconds are more than a million a second; choose the algorithm `fixed` for such a rate")]
    FastGcra {
        /// Requests.
        limit: u64,
        /// Seconds.
        window: u64,
    },
    /// A bucket that takes more than a year to refill.
    #[error("a burst of {0} takes longer than 366 days to come back at that rate; set a smaller burst or a higher rate")]
    LargeBurst(u64),
}

impl Policy {
    /// A limit within a window of that many seconds. Its counters outlive a reload as long as name, algorithm, window and what it counts
    /// stay; limit and burst may change.
    pub fn new(name: &str, algorithm: Algorithm, limit: Limit, window: u64) -> Result<Self, PolicyError> {
        let (Limit::Requests(most) | Limit::Bytes(most)) = limit;
        check_limit(most)?;
        let seconds = check_window(window)?;
        let rule = match (algorithm, limit) {
            (Algorithm::Fixed, Limit::Requests(limit)) => Rule::Fixed { limit, window: seconds },
            (Algorithm::Fixed, Limit::Bytes(limit)) => Rule::Bytes { limit, window: seconds },
            (_, Limit::Bytes(_)) => return Err(PolicyError::BytesNeedFixed),
            (Algorithm::Sliding, Limit::Requests(limit)) => Rule::Sliding { limit: check_sliding(limit)?, window: seconds },
            (Algorithm::Gcra { burst }, Limit::Requests(limit)) => Rule::Gcra(check_gcra(limit, window, burst)?),
        };
        Ok(Self { number: number(name, &rule, seconds), rule, kept: window >= DAY })
    }

    /// A limit on requests that all gateways with this policy and the same store keep together, in windows that begin at multiples of their
    /// length since 1970-01-01 UTC by the store's clock. Its counters are not saved: the store has them.
    pub fn shared(name: &str, limit: u64, window: u64, away: Away) -> Result<Self, PolicyError> {
        check_limit(limit)?;
        let seconds = check_window(window)?;
        let rule = Rule::Leased(Terms { limit, seconds, away });
        Ok(Self { number: number(name, &rule, seconds), rule, kept: false })
    }

    /// That many requests at the same time.
    pub fn concurrent(name: &str, limit: u64) -> Result<Self, PolicyError> {
        check_limit(limit)?;
        let rule = Rule::Concurrent { limit };
        Ok(Self { number: number(name, &rule, 0), rule, kept: false })
    }
}

fn check_limit(limit: u64) -> Result<(), PolicyError> {
    match limit {
        0 => Err(PolicyError::ZeroLimit),
        1..=MAX_LIMIT => Ok(()),
        _ => Err(PolicyError::LargeLimit(limit)),
    }
}

fn check_window(window: u64) -> Result<u32, PolicyError> {
    match u32::try_from(window) {
        Ok(0) => Err(PolicyError::ZeroWindow),
        Ok(seconds) if window <= MAX_WINDOW => Ok(seconds),
        _ => Err(PolicyError::LongWindow(window)),
    }
}

fn check_sliding(limit: u64) -> Result<u32, PolicyError> {
    u32::try_from(limit).map_err(|_| PolicyError::LargeSliding(limit))
}

fn check_gcra(limit: u64, window: u64, burst: u64) -> Result<Gcra, PolicyError> {
    let interval = (window * SECOND).div_ceil(limit);
    if burst == 0 {
        return Err(PolicyError::ZeroBurst);
    }
    // A shorter one that was rounded up to the least still comes of a rate above a million.
    if interval < MIN_INTERVAL || limit > window * (SECOND / MIN_INTERVAL) {
        return Err(PolicyError::FastGcra { limit, window });
    }
    let full = interval.checked_mul(burst).filter(|full| *full <= MAX_WINDOW * SECOND);
    Ok(Gcra { interval, full: full.ok_or(PolicyError::LargeBurst(burst))? })
}

/// The same in every process, because saved counters are found by it. Not secret: names come from the configuration.
fn number(name: &str, rule: &Rule, window: u32) -> [u8; 16] {
    let mut hasher = SipHasher13::new();
    hasher.write(&[rule.tag()]);
    hasher.write(&window.to_le_bytes());
    hasher.write(name.as_bytes());
    hasher.finish128().as_bytes()
}
