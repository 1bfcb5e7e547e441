//! A refusal of routing, whose cause is always the same.

use tollgate_filter_api::{Answer, Cause, Reason};

/// A reason with its cause.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What the client is told.
    pub reason: Reason,
    cause: Cause,
}

impl Rejection {
    /// A refusal with status 400.
    pub(super) const fn new(id: &'static str, title: &'static str, help: &'static str, cause: Cause) -> Self {
        Self { reason: Reason::refused(id, 400, 0, title, help), cause }
    }

    /// The answer to a request that is refused so.
    pub fn answer(&'static self) -> Answer {
        self.reason.because(self.cause.clone())
    }
}
