//! One request through its chain.

use std::{any::Any, ops::Range, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, header::WWW_AUTHENTICATE};
use tollgate_filter_api::{
    Answer, BodyUse, Call, DynChunk, DynCx, DynDone, DynFilter, DynResponse, DynUpstream, Facts, Fault, Meaning, Outcome, Peer, Principal,
    RequestHead, ResponseHead,
};

/// The filters of one operation, in order.
#[derive(Default)]
pub struct Chain {
    pub(super) filters: Vec<Arc<dyn DynFilter>>,
    pub(super) steps: Vec<Step>,
    /// Nobody checks credentials here: the caller is anonymous from the start.
    pub(super) open: bool,
    /// There is no endpoint: a filter has to answer.
    pub(super) must_answer: bool,
    /// The alternatives with their scopes, for the filter that compares them.
    pub(super) scopes: Vec<serde_json::Value>,
}

impl Chain {
    /// Fields in which the upstream reads a filter's own word.
    pub fn owned_headers(&self) -> impl Iterator<Item = HeaderName> {
        self.filters.iter().flat_map(|filter| filter.owned_headers())
    }
}

pub(super) enum Step {
    One(usize),
    AnyOf {
        /// Filters of each alternative, all of which must let the request pass.
        branches: Vec<Range<usize>>,
        /// A request that carries none of the credentials passes as anonymous.
        anonymous: bool,
    },
}

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
    states: Vec<Box<dyn Any + Send + Sync>>,
    ran: Vec<usize>,
    at: usize,
}

impl Run {
    /// Begins at the first step.
    pub fn new(chain: &Chain, peer: Peer) -> Self {
        let mut facts = Facts::default();
        facts.set(peer);
        if chain.open {
            facts.set(Principal::anonymous());
        }
        let states = chain.filters.iter().map(|filter| filter.state()).collect();
        Self { facts, states, ran: Vec::with_capacity(chain.filters.len()), at: 0 }
    }

    /// Whether no filter let the request pass yet, so that none has a say in what comes after.
    pub fn is_idle(&self) -> bool {
        self.ran.is_empty()
    }

    /// Runs the request phase, from the beginning or from where the body was asked for.
    pub async fn request(&mut self, chain: &Chain, req: &mut RequestHead, call: &Call, body: Option<&Bytes>) -> Verdict {
        while let Some(step) = chain.steps.get(self.at) {
            let ended = match step {
                Step::One(index) => match chain.filters[*index].body() {
                    BodyUse::Whole(limit) if body.is_none() => return Verdict::NeedBody(limit),
                    _ => self.one(chain, *index, req, call, body).await,
                },
                Step::AnyOf { branches, anonymous } => self.any_of(chain, branches, *anonymous, req, call).await,
            };
            match ended {
                Ok(None) => self.at += 1,
                Ok(Some(answer)) => return Verdict::Stop(answer),
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
        body: Option<&Bytes>,
    ) -> Result<Option<Answer>, Fault> {
        let state = self.states[index].as_mut();
        let answer = chain.filters[index].on_request(DynCx { req, call, facts: &mut self.facts, body, state }).await?;
        if answer.is_none() {
            self.ran.push(index);
        }
        Ok(answer)
    }

    /// The first alternative that finds its credential decides; when none does, the first one's answer is given with the
    /// challenges of all.
    async fn any_of(
        &mut self,
        chain: &Chain,
        branches: &[Range<usize>],
        anonymous: bool,
        req: &mut RequestHead,
        call: &Call,
    ) -> Result<Option<Answer>, Fault> {
        let mut absent: Option<Answer> = None;
        for branch in branches {
            match self.all_of(chain, branch.clone(), req, call).await? {
                None => return Ok(None),
                Some(answer) if answer.reason().meaning == Meaning::Absent => absent = Some(join(absent, answer)),
                refused => return Ok(refused),
            }
        }
        if anonymous {
            self.facts.set(Principal::anonymous());
            return Ok(None);
        }
        Ok(absent)
    }

    /// Every filter of an alternative must let the request pass; the first one's principal counts, the others' are kept beside.
    async fn all_of(&mut self, chain: &Chain, branch: Range<usize>, req: &mut RequestHead, call: &Call) -> Result<Option<Answer>, Fault> {
        let mark = self.ran.len();
        let mut verified = Vec::new();
        for index in branch {
            if let Some(answer) = self.one(chain, index, req, call, None).await? {
                self.ran.truncate(mark);
                return Ok(Some(answer));
            }
            verified.extend(self.facts.get::<Principal>().cloned());
        }
        let mut verified = verified.into_iter();
        if let Some(principal) = verified.next() {
            self.facts.set(principal);
        }
        verified.for_each(|credential| self.facts.add_credential(credential));
        Ok(None)
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

    /// Before a header goes to the client, in reverse order.
    ///
    /// # Errors
    /// The first filter's that says no.
    pub fn response(&mut self, chain: &Chain, resp: &mut ResponseHead, call: &Call) -> Result<(), Fault> {
        for index in self.ran.iter().rev() {
            chain.filters[*index].on_response(DynResponse { resp, call, state: self.states[*index].as_mut() })?;
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

/// The first answer, with the challenges of the second.
fn join(first: Option<Answer>, second: Answer) -> Answer {
    let Some(first) = first else { return second };
    let challenges = second.headers().iter().filter(|(name, _)| name == WWW_AUTHENTICATE);
    challenges.cloned().fold(first, |answer, (name, value)| answer.header(name, value))
}
