//! How a request ends before it goes upstream.

use tollgate_filter_api::{Answer, Fault, Reason};

use crate::telemetry::{IntCounter, LimitCounters};

/// Which of the limits' counters counts a refusal.
pub type Counter = fn(&LimitCounters) -> &IntCounter;

/// The answer that ends a request, and what is to be seen to beside it. To make one counts and logs nothing.
#[derive(Debug)]
pub struct Refusal {
    /// What the client is told.
    pub answer: Box<Answer>,
    /// The limit that the request was over.
    pub limit: Option<Counter>,
    /// Why a filter could not decide.
    pub fault: Option<Fault>,
}

impl Refusal {
    /// A request that is over a limit.
    pub fn over(reason: &'static Reason, limit: Counter) -> Self {
        Self { limit: Some(limit), ..Self::from(reason) }
    }
}

impl From<&'static Reason> for Refusal {
    fn from(reason: &'static Reason) -> Self {
        reason.answer().into()
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self { answer: Box::new(answer), limit: None, fault: None }
    }
}
