//! How a request ends before it goes upstream.

use tollgate_filter_api::{Answer, Cause, CauseKind, Fault, Reason, Rule};

use crate::{
    chain::gateway as reasons,
    routes::Rejection,
    telemetry::{IntCounter, LimitCounters},
};

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
    /// A request that is over a limit, which is counted.
    pub fn over(reason: &'static Reason, limit: Counter, cause: Cause) -> Self {
        Self { limit: Some(limit), ..Self::from(reason.because(cause)) }
    }
}

/// Why a request cannot be judged that should have been judged before: an error of the gateway.
pub fn internal(detail: &'static str) -> Answer {
    reasons::INTERNAL.because(Cause::new(CauseKind::Internal, "gateway", Rule::Fixed("an error of the gateway")).detail(detail))
}

impl From<&'static Rejection> for Refusal {
    fn from(rejection: &'static Rejection) -> Self {
        rejection.answer().into()
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self { answer: Box::new(answer), limit: None, fault: None }
    }
}
