//! How long a verdict on a client's certificate holds.

use std::time::{Duration, Instant};

use super::trust;

/// How long a verdict against a certificate holds: its validity, or a list's, may be about to begin.
const DOUBT: Duration = Duration::from_secs(10);

/// Until when a verdict holds.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// A certificate or a list ends at this second since 1970.
    Until(i64),
    /// Nothing says when it will be another one, so it is asked for again. By the clock that never steps: a wall clock that was ahead for
    /// a moment would refuse the certificate for as long.
    For(Instant),
}

impl Holds {
    /// Of a certificate that is not trusted.
    pub fn doubted() -> Self {
        Self::For(Instant::now() + DOUBT)
    }

    /// Whether it holds now.
    pub fn is_so(self) -> bool {
        match self {
            Self::Until(end) => trust::now() <= end,
            Self::For(end) => Instant::now() < end,
        }
    }
}
