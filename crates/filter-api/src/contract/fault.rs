//! The gateway could not decide.

use std::{borrow::Cow, fmt, time::Duration};

/// A decision was impossible: a key set that never loaded, a store that does not answer. Fails closed: the chain answers 503.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `filter.cause`; the metric's label and the log's field.
    pub id: &'static str,
    /// For the log only.
    pub cause: Cow<'static, str>,
    /// When the client may try again; becomes `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault with its cause.
    pub fn new(id: &'static str, cause: impl Into<Cow<'static, str>>) -> Self {
        Self { id, cause: cause.into(), retry_after: None }
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.cause)
    }
}

impl std::error::Error for Fault {}
