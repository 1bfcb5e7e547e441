//! One request through its chain.

use std::{any::Any, sync::Arc};

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use tollgate_filter_api::{
    Answer, Body, BodyUse, Call, Cause, DynChunk, DynCx, DynDone, DynPage, DynRequestChunk, DynResponse, DynUpstream, Facts, Fault,
    Meaning, Outcome, Page, Peer, Principal, Reason, RequestHead, ResponseHead, Views,
};

use super::{
    attempts::{Attempts, CredentialOutcome, Explanation},
    origins::Written,
    steps::{AnyOf, Chain, Part, Step},
};

/// What a chain comes to.
#[derive(Debug)]
pub enum Verdict {
    /// Every filter let the request pass.
    Pass,
    /// The next filter wants the body, up to so many bytes. Call again with it.
    NeedBody(usize),
    /// The request ends here.
    Stop(Answer),
    /// A filter could not decide.
    Fault(Fault),
}

/// The state of one request in its chain.
pub struct Run {
    /// What is known of the request.
    pub facts: Facts,
    /// What it may ask.
    pub views: Views,
    pub(super) states: Vec<Box<dyn Any + Send + Sync>>,
    /// Filters that let the request pass, in order.
    pub(super) ran: Vec<usize>,
    at: usize,
    attempts: Attempts,
    /// A filter has ended the request.
    refused: bool,
    /// The filter that could not decide about the request.
    undecided: Option<usize>,
}

impl Run {
    /// Begins at the first step.
    pub fn new(chain: &Chain, peer: Peer, views: Views) -> Self {
        let mut facts = Facts::default();
        facts.set(peer);
        if chain.open {
            facts.set(Principal::anonymous());
        }
        let states = chain.filters.iter().map(|filter| filter.state()).collect();
        let ran = Vec::with_capacity(chain.filters.len());
        Self { facts, views, states, ran, at: 0, attempts: Attempts::default(), refused: false, undecided: None }
    }

    /// Whether no filter let the request pass yet, so that none has a say in what comes after.
    pub fn is_idle(&self) -> bool {
        self.ran.is_empty()
    }

    /// Runs the request phase, from the beginning or from where the body was asked for.
    pub async fn request(&mut self, chain: &Chain, req: &mut RequestHead, call: &Call, mut body: Option<&mut Body>) -> Verdict {
        while let Some(step) = chain.steps.get(self.at) {
            let ended = match step {
                Step::One(part) => match chain.body_use(part.filter) {
                    BodyUse::Whole(limit) if body.is_none() && chain.filters[part.filter].wants_body(req, call) => {
                        return Verdict::NeedBody(limit);
                    }
                    _ => self.one(chain, part.filter, req, call, body.as_deref_mut()).await,
                },
                Step::AnyOf(any) => self.any_of(chain, any, req, call).await,
            };
            match ended {
                Ok(None) => {
                    self.at += 1;
                    if let Err(fault) = self.withhold(chain, req) {
                        return Verdict::Fault(fault);
                    }
                }
                Ok(Some(answer)) => {
                    if let Some(answer) = self.goes_back(chain, answer) {
                        self.refused = answer.reason().meaning != Meaning::Reply;
                        return Verdict::Stop(answer);
                    }
                }
                Err(fault) => return Verdict::Fault(fault),
            }
        }
        if chain.must_answer {
            return Verdict::Fault(Fault::new("chain.unanswered", "no filter answered, and there is no endpoint"));
        }
        Verdict::Pass
    }

    async fn one(
        &mut self,
        chain: &Chain,
        index: usize,
        req: &mut RequestHead,
        call: &Call,
        body: Option<&mut Body>,
    ) -> Result<Option<Answer>, Fault> {
        let answer = self.ask(chain, index, req, call, body).await?;
        match &answer {
            Some(answer) => self.attempts.failed(self.at, self.attempts.next.saturating_sub(1), 0, answer),
            None => self.ran.push(index),
        }
        Ok(answer)
    }

    async fn ask(
        &mut self,
        chain: &Chain,
        index: usize,
        req: &mut RequestHead,
        call: &Call,
        body: Option<&mut Body>,
    ) -> Result<Option<Answer>, Fault> {
        let (facts, views, state) = (&mut self.facts, &mut self.views, self.states[index].as_mut());
        let asked = chain.filters[index].on_request(DynCx { req, call, facts, body, views, state }).await;
        if asked.is_err() {
            self.undecided = Some(index);
        }
        asked
    }

    /// The first alternative that finds its credential decides; when none does, the first one's answer is given with the
    /// challenges of all. Begins where the last one was not enough, and then ends with the answer of that one.
    async fn any_of(&mut self, chain: &Chain, any: &AnyOf, req: &mut RequestHead, call: &Call) -> Result<Option<Answer>, Fault> {
        let mut absent: Option<Answer> = None;
        while let Some(branch) = any.branches.get(self.attempts.next) {
            self.attempts.next += 1;
            match self.all_of(chain, branch, req, call).await? {
                Came::Verified => {
                    self.attempts.accepted = Some(self.attempts.next - 1);
                    return Ok(None);
                }
                Came::KnownToEnd => {}
                Came::Ended(answer) if answer.reason().meaning == Meaning::Absent => absent = Some(join(absent, answer)),
                Came::Ended(answer) => return Ok(self.attempts.insufficient.take().or(Some(answer))),
            }
        }
        if let Some(answer) = self.attempts.insufficient.take() {
            return Ok(Some(answer));
        }
        if any.anonymous {
            self.facts.set(Principal::anonymous());
            return Ok(None);
        }
        Ok(absent)
    }

    /// Every filter of an alternative must let the request pass; the first one's principal counts, the others' are kept beside.
    async fn all_of(&mut self, chain: &Chain, branch: &[Part], req: &mut RequestHead, call: &Call) -> Result<Came, Fault> {
        let (step, alternative) = (self.at, self.attempts.next - 1);
        for (place, part) in branch.iter().enumerate() {
            match self.attempts.outcomes.iter().find(|(filter, _)| *filter == part.filter) {
                Some((_, CredentialOutcome::Verified(_))) => continue,
                Some((_, CredentialOutcome::Refused(reason))) => {
                    self.attempts.failed_again(step, alternative, place, reason);
                    return Ok(Came::KnownToEnd);
                }
                None => {}
            }
            if let Some(answer) = self.ask(chain, part.filter, req, call, None).await? {
                self.attempts.outcomes.push((part.filter, CredentialOutcome::Refused(answer.reason())));
                self.attempts.failed(step, alternative, place, &answer);
                return Ok(Came::Ended(answer));
            }
            let principal =
                self.facts.get::<Principal>().cloned().ok_or_else(|| Fault::new("chain.principal", "a filter let nobody in"))?;
            self.attempts.outcomes.push((part.filter, CredentialOutcome::Verified(principal)));
        }
        self.attempts.mark = self.ran.len();
        self.ran.extend(branch.iter().map(|part| part.filter));
        self.facts.set_credentials(branch.iter().filter_map(|part| self.attempts.verified(part.filter)));
        Ok(Came::Verified)
    }

    /// Goes back to the alternatives when the one that let the caller in is not enough for those who judge credentials, and there
    /// is another; otherwise the answer comes back.
    fn goes_back(&mut self, chain: &Chain, answer: Answer) -> Option<Answer> {
        let Some((at, end)) = chain.credentials else { return Some(answer) };
        let Step::AnyOf(any) = &chain.steps[at] else { return Some(answer) };
        let judged = self.at > at && self.at < end && answer.reason().meaning == Meaning::Insufficient;
        if !judged || self.attempts.next >= any.branches.len() {
            return Some(self.attempts.insufficient.take().filter(|_| judged).unwrap_or(answer));
        }
        self.attempts.insufficient.get_or_insert(answer);
        self.ran.truncate(self.attempts.mark);
        self.at = at;
        None
    }

    /// Once no other alternative can be asked any more, takes out what the caller sent for them.
    fn withhold(&self, chain: &Chain, req: &mut RequestHead) -> Result<(), Fault> {
        let Some((at, _)) = chain.credentials.filter(|(_, end)| *end == self.at) else { return Ok(()) };
        let Some(Step::AnyOf(any)) = chain.steps.get(at) else { return Ok(()) };
        let foreign = self.attempts.accepted.and_then(|accepted| any.foreign.get(accepted));
        let fault = |_| Fault::new("chain.withhold", "the request without a credential that nobody verified cannot be sent");
        foreign.into_iter().flatten().try_for_each(|carrier| carrier.strip(req)).map_err(fault)
    }

    /// Remembers that a filter ended a request by its answer.
    pub(super) fn ended_by(&mut self, chain: &Chain, index: usize, answer: &Answer) {
        let Some(step) = chain.step_of(index) else { return };
        self.attempts.failed(step, 0, 0, answer);
        self.refused = answer.reason().meaning != Meaning::Reply;
    }

    /// What decided when a filter refused the request with this cause, and what came of the alternatives, or what asked for a filter that
    /// could not decide; `None` when there is none. Makes words: for requests that have ended.
    pub fn explain(&self, chain: &Chain, cause: Option<&Arc<Cause>>, written: Written<'_>) -> Option<Explanation> {
        match self.undecided {
            Some(filter) => Some(Explanation { asked_by: chain.asked_by(filter), alternatives: Vec::new() }),
            None => self.refused.then(|| self.attempts.explain(chain, cause, written)),
        }
    }

    /// Before the header goes upstream, for each attempt.
    ///
    /// # Errors
    /// The first filter's that says no.
    pub fn upstream(&mut self, chain: &Chain, req: &mut RequestHead, call: &Call) -> Result<(), Fault> {
        for index in &self.ran {
            let state = self.states[*index].as_mut();
            chain.filters[*index].on_upstream(DynUpstream { req, call, facts: &self.facts, state })?;
        }
        Ok(())
    }

    /// For each piece of the request's body that goes upstream, in order.
    ///
    /// # Errors
    /// The first filter's that says no.
    pub fn request_chunk(&mut self, chain: &Chain, body: &mut Option<Bytes>, end: bool) -> Result<(), Fault> {
        for index in self.ran.iter().filter(|index| chain.streams.contains(index)) {
            chain.filters[*index].on_request_chunk(DynRequestChunk { body, end, state: self.states[*index].as_mut() })?;
        }
        Ok(())
    }

    /// The body that a filter has for a refusal, in order.
    pub fn page(&mut self, chain: &Chain, req: &RequestHead, status: u16, reason: &'static Reason, call: &Call) -> Option<Page> {
        self.ran.iter().find_map(|index| {
            let state = self.states[*index].as_mut();
            chain.filters[*index].page(DynPage { req, status, reason, call, state })
        })
    }

    /// Before a header goes to the client, in reverse order. `is_upstreams`: it is the upstream's, and not one that the gateway made.
    ///
    /// # Errors
    /// The first filter's that says no.
    pub fn response(&mut self, chain: &Chain, resp: &mut ResponseHead, is_upstreams: bool, call: &Call) -> Result<(), Fault> {
        for index in self.ran.iter().rev() {
            chain.filters[*index].on_response(DynResponse { resp, is_upstreams, call, state: self.states[*index].as_mut() })?;
        }
        Ok(())
    }

    /// For each piece of the answer's body, in reverse order.
    ///
    /// # Errors
    /// The first filter's that says no.
    pub fn chunk(&mut self, chain: &Chain, body: &mut Option<Bytes>, end: bool) -> Result<(), Fault> {
        for index in self.ran.iter().rev() {
            chain.filters[*index].on_chunk(DynChunk { body, end, state: self.states[*index].as_mut() })?;
        }
        Ok(())
    }

    /// The request is over.
    pub fn done(&mut self, chain: &Chain, call: &Call, outcome: Outcome) {
        for index in &self.ran {
            chain.filters[*index].on_done(DynDone { call, outcome, state: self.states[*index].as_mut() });
        }
    }
}

/// What came of one alternative.
enum Came {
    Verified,
    /// A filter that it shares with one before it had said no.
    KnownToEnd,
    Ended(Answer),
}

/// The first answer, with the challenges of the second; the second, when only that one says more than that nothing was sent.
fn join(first: Option<Answer>, second: Answer) -> Answer {
    /// The reference product's code for no credential at all.
    const MISSING: u32 = 900_902;
    let Some(first) = first else { return second };
    let says_more = first.reason().code == MISSING && second.reason().code != MISSING;
    let (kept, other) = if says_more { (second, first) } else { (first, second) };
    let challenges: Vec<_> = other.headers().iter().filter(|(name, _)| name == WWW_AUTHENTICATE).cloned().collect();
    challenges.into_iter().fold(kept, |answer, (name, value)| answer.header(name, value))
}
