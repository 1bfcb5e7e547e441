//! A checked chain: the filters of one operation and the order in which they run.

use std::sync::Arc;

use http::HeaderName;
use tollgate_filter_api::{AnswerSet, AnswerUse, BodyUse, Carrier, DynFilter, Rewrites, ScopeAlternatives};

use super::origins::Lines;

/// The filters of one operation, in order.
#[derive(Default)]
pub struct Chain {
    pub(super) filters: Vec<Arc<dyn DynFilter>>,
    /// For each, the answers that it reads whole.
    pub(super) answers: Vec<Option<AnswerUse>>,
    /// One of them reads some.
    pub(super) reads_answers: bool,
    /// Those that see requests' bodies stream past.
    pub(super) streams: Vec<usize>,
    /// Those that change answers while they stream, and which ones.
    pub(super) rewrites: Vec<(usize, AnswerSet)>,
    /// One of them reframes answers.
    pub(super) reframes: bool,
    /// Those that change requests' bodies while they stream.
    pub(super) rewrites_requests: Vec<usize>,
    /// One of them reads requests' bodies whole.
    pub(super) holds_requests: bool,
    pub(super) steps: Vec<Step>,
    /// Nobody checks credentials here: the caller is anonymous from the start.
    pub(super) open: bool,
    /// There is no endpoint: a filter has to answer.
    pub(super) must_answer: bool,
    /// The alternatives with their scopes, for the filter that compares them.
    pub(super) scopes: ScopeAlternatives,
    /// The step that checks credentials, and the first behind it that does something else than judge them.
    pub(super) credentials: Option<(usize, usize)>,
}

impl Chain {
    /// Whether a filter sees requests' bodies stream past.
    pub fn streams_requests(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Whether a filter changes answers while they stream.
    pub fn rewrites_answers(&self) -> bool {
        !self.rewrites.is_empty()
    }

    /// Whether a filter reframes answers.
    pub fn reframes(&self) -> bool {
        self.reframes
    }

    /// Whether a filter changes requests' bodies while they stream.
    pub fn rewrites_requests(&self) -> bool {
        !self.rewrites_requests.is_empty()
    }

    /// What a filter reads of a request's body. One that changes it while it streams gets it whole when another reads it whole, as nothing
    /// streams then.
    pub(super) fn body_use(&self, filter: usize) -> BodyUse {
        match self.filters[filter].request_body() {
            BodyUse::Stream if self.holds_requests && self.rewrites_requests.contains(&filter) => BodyUse::Whole(usize::MAX),
            other => other,
        }
    }

    /// Fields in which the upstream reads a filter's own word.
    pub fn owned_headers(&self) -> impl Iterator<Item = HeaderName> {
        self.filters.iter().flat_map(|filter| filter.owned_headers())
    }

    /// Where credentials are looked for.
    pub fn carriers(&self) -> impl Iterator<Item = Carrier> {
        self.filters.iter().filter_map(|filter| filter.carrier())
    }

    /// The step of a filter that stands alone in it.
    pub(super) fn step_of(&self, filter: usize) -> Option<usize> {
        self.steps.iter().position(|step| matches!(step, Step::One(part) if part.filter == filter))
    }

    /// `file:line` that asked for a filter.
    pub(super) fn asked_by(&self, filter: usize) -> Option<String> {
        let parts = self.steps.iter().flat_map(|step| match step {
            Step::One(part) => vec![part],
            Step::AnyOf(any) => any.branches.iter().flatten().collect(),
        });
        parts.filter(|part| part.filter == filter).find_map(|part| part.lines.asked_by.clone())
    }

    /// Adds the step that checks credentials.
    pub(super) fn push_credentials(&mut self, step: Step) {
        let at = self.steps.len();
        self.steps.push(step);
        self.credentials = Some((at, at + 1));
    }

    /// Adds any other step.
    pub(super) fn push(&mut self, filter: Arc<dyn DynFilter>, lines: Lines, judges: bool) {
        let behind = self.steps.len();
        if let Some((_, end)) = &mut self.credentials
            && *end == behind
            && judges
        {
            *end += 1;
        }
        let part = self.part(filter, lines);
        self.steps.push(Step::One(part));
    }

    /// The place of a filter. One that alternatives share has one place, so that it runs once.
    pub(super) fn shared_part(&mut self, filter: Arc<dyn DynFilter>, since: usize, lines: Lines) -> Part {
        match self.filters[since..].iter().position(|known| Arc::ptr_eq(known, &filter)) {
            Some(known) => Part { filter: since + known, lines },
            None => self.part(filter, lines),
        }
    }

    /// Where credentials stand that nobody has looked at when one of these alternatives lets the caller in.
    pub(super) fn foreign(&self, branches: &[Vec<Part>]) -> Vec<Vec<Carrier>> {
        let carriers = |branch: &[Part]| branch.iter().filter_map(|part| self.filters[part.filter].carrier()).collect::<Vec<_>>();
        let all: Vec<Carrier> = branches.iter().flat_map(|branch| carriers(branch)).collect();
        let others = |own: Vec<Carrier>| {
            let mut others: Vec<Carrier> = all.iter().filter(|carrier| !own.contains(carrier)).cloned().collect();
            others.dedup();
            others
        };
        branches.iter().map(|branch| others(carriers(branch))).collect()
    }

    fn part(&mut self, filter: Arc<dyn DynFilter>, lines: Lines) -> Part {
        let answers = filter.answer_body();
        self.reads_answers |= answers.is_some();
        self.answers.push(answers);
        let at = self.filters.len();
        match filter.request_body() {
            BodyUse::Stream => self.streams.push(at),
            BodyUse::Whole(_) => self.holds_requests = true,
            BodyUse::None => {}
        }
        let Rewrites { requests, answers, heads } = filter.rewrites();
        self.reframes |= heads;
        self.rewrites.extend(answers.map(|answers| (at, answers)));
        self.rewrites_requests.extend(requests.then_some(at));
        self.filters.push(filter);
        Part { filter: at, lines }
    }
}

/// A filter, and the lines that say what it does.
pub(super) struct Part {
    pub filter: usize,
    pub lines: Lines,
}

pub(super) enum Step {
    One(Part),
    AnyOf(AnyOf),
}

/// Alternatives.
pub(super) struct AnyOf {
    /// The filters of each, all of which must let the request pass.
    pub branches: Vec<Vec<Part>>,
    /// For each, where the others' credentials stand, and its own do not.
    pub foreign: Vec<Vec<Carrier>>,
    /// A request that carries none of the credentials passes as anonymous.
    pub anonymous: bool,
}
