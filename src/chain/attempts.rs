//! The alternatives of one request: which were tried, how each ended, and how the operator learns of it.

use std::sync::Arc;

use serde::Serialize;
use tollgate_filter_api::{Answer, Cause, Principal, Reason};

use super::{
    origins::Written,
    steps::{Chain, Part, Step},
};

/// The alternatives that were tried so far.
#[derive(Default)]
pub(super) struct Attempts {
    /// How each filter judged its credential, by the filter's index. No filter runs twice.
    pub outcomes: Vec<(usize, CredentialOutcome)>,
    /// The alternative to try next.
    pub next: usize,
    /// The one that let the caller in.
    pub accepted: Option<usize>,
    /// How many filters had run before them.
    pub mark: usize,
    /// The answer to a caller who is known by one of them, which is not enough.
    pub insufficient: Option<Answer>,
    failed: Vec<Failed>,
}

/// How a filter judged its credential.
pub(super) enum CredentialOutcome {
    /// It verified.
    Verified(Principal),
    /// It is missing or was refused.
    Refused(&'static Reason),
}

/// One refusal. Says where it happened; words are made of it only when somebody asks.
struct Failed {
    step: usize,
    alternative: usize,
    part: usize,
    reason: &'static Reason,
    cause: Option<Arc<Cause>>,
}

/// Why a request was refused, for the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// `file:line` of what decided: a setting, a declaration, or what asked for the filter.
    pub asked_by: Option<String>,
    /// What came of each way to be let in, as far as they were tried.
    pub alternatives: Vec<Failure>,
}

/// Why one way to be let in did not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The filters that would have had to vouch for the caller.
    pub credentials: Vec<&'static str>,
    /// The filter that refused.
    pub refused_by: &'static str,
    /// Its reason.
    pub reason: &'static str,
    /// The reference product's code for it.
    #[serde(skip_serializing_if = "is_none")]
    pub code: u32,
    /// What was wrong, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// `file:line` of what decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// What was wrong, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

fn is_none(code: &u32) -> bool {
    *code == 0
}

impl Attempts {
    /// Remembers a refusal. `part` counts within an alternative, or is 0.
    pub fn failed(&mut self, step: usize, alternative: usize, part: usize, answer: &Answer) {
        self.failed.push(Failed { step, alternative, part, reason: answer.reason(), cause: answer.cause().cloned() });
    }

    /// The same, for a refusal that another alternative met before.
    pub fn failed_again(&mut self, step: usize, alternative: usize, part: usize, reason: &'static Reason) {
        self.failed.push(Failed { step, alternative, part, reason, cause: None });
    }

    /// Whom a filter has vouched for.
    pub fn verified(&self, filter: usize) -> Option<Principal> {
        self.outcomes.iter().find_map(|(index, outcome)| match outcome {
            CredentialOutcome::Verified(principal) if *index == filter => Some(principal.clone()),
            _ => None,
        })
    }

    /// What is known of the refusal with this cause, which is one of those that were met, and of the others.
    pub fn explain(&self, chain: &Chain, cause: Option<&Arc<Cause>>, written: Written<'_>) -> Explanation {
        let is_told = |failed: &&Failed| failed.cause.as_ref().zip(cause).is_some_and(|(met, told)| Arc::ptr_eq(met, told));
        let told = self.failed.iter().find(is_told).or(self.failed.last());
        let asked_by = told.and_then(|failed| failed.asked_by(chain, failed.by(chain)?, written));
        let judged = chain.credentials.map_or(0..0, |(at, end)| at..end);
        let let_in = self.failed.last().is_none_or(|failed| !judged.contains(&failed.step));
        let tried = self.failed.iter().filter(|_| !let_in);
        Explanation { asked_by, alternatives: tried.filter_map(|failed| failed.explain(chain, written)).collect() }
    }
}

impl Failed {
    fn by<'c>(&self, chain: &'c Chain) -> Option<&'c Part> {
        match chain.steps.get(self.step)? {
            Step::One(part) => Some(part),
            Step::AnyOf(any) => any.branches.get(self.alternative)?.get(self.part),
        }
    }

    fn asked_by(&self, chain: &Chain, by: &Part, written: Written<'_>) -> Option<String> {
        by.lines.of(self.cause.as_ref().map(|cause| cause.rule()), &chain.scopes, written)
    }

    fn explain(&self, chain: &Chain, written: Written<'_>) -> Option<Failure> {
        let (by, id) = (self.by(chain)?, |part: &Part| chain.filters[part.filter].id());
        let credentials = match chain.steps.get(chain.credentials?.0)? {
            Step::One(part) => vec![id(part)],
            Step::AnyOf(any) => any.branches.get(self.alternative)?.iter().map(id).collect(),
        };
        let (refused_by, reason, asked_by) = (id(by), self.reason, self.asked_by(chain, by, written));
        let (cause, note) = (self.cause.as_ref().map(|cause| cause.kind().name()), self.cause.as_ref().map(|cause| cause.to_string()));
        Some(Failure { credentials, refused_by, reason: reason.id, code: reason.code, cause, asked_by, note })
    }
}
