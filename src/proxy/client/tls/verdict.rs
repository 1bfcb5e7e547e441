//! How long a verdict on a client's certificate may be used.

use std::time::{Duration, Instant};

use super::trust;

/// How long a refusal may be used: the certificate, or a revocation list, may become valid at any moment.
const REFUSAL: Duration = Duration::from_secs(10);

/// Until when a verdict may be used.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// Until this second since 1970, when a certificate or a list ends.
    Until(i64),
    /// Until this moment, because nothing says when the verdict will change. Uses the clock that never steps: a wall clock that was
    /// ahead for a moment would keep a certificate refused for just as long.
    For(Instant),
}

impl Validity {
    /// For a certificate that is not trusted.
    pub fn of_refusal() -> Self {
        Self::For(Instant::now() + REFUSAL)
    }

    /// Whether the verdict may still be used.
    pub fn is_current(self) -> bool {
        match self {
            Self::Until(end) => trust::now() <= end,
            Self::For(end) => Instant::now() < end,
        }
    }
}
