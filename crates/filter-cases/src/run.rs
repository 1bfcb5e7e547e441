//! What a filter did with a request, and its later phases.

use std::{any::Any, sync::Arc};

use http::HeaderMap;
use tollgate_filter_api::{
    Answer, AnswerHead, Body, Bytes, Call, DynAnswer, DynChunk, DynDone, DynFilter, DynPage, DynResponse, DynUpstream, Fact, Facts, Fault,
    HeaderName, HeaderValue, Kind, Meaning, Moment, Note, Outcome, Page, Reason, RequestHead, ResponseHead, StatusCode, Views,
};

use crate::{
    cause::{Origin, Secrets},
    poll::drive,
};

/// A request after its first phase.
pub struct Run {
    pub(crate) kind: Kind,
    /// The filter.
    pub filter: Arc<dyn DynFilter>,
    pub(crate) call: Call,
    pub(crate) facts: Facts,
    pub(crate) state: Box<dyn Any + Send + Sync>,
    pub(crate) head: RequestHead,
    pub(crate) before: HeaderMap,
    /// Method and target before the filter ran.
    pub(crate) asked: (String, String),
    pub(crate) body: Option<Body>,
    pub(crate) views: Views,
    pub(crate) origin: Arc<Origin>,
    pub(crate) secrets: Secrets,
    pub(crate) outcome: Result<Option<Answer>, Fault>,
}

fn describe(outcome: &Result<Option<Answer>, Fault>) -> String {
    match outcome {
        Ok(None) => "let the request pass".into(),
        Ok(Some(answer)) => format!("answered {} {}: {}", answer.status(), answer.reason().id, why(answer)),
        Err(fault) => format!("could not decide: {fault}"),
    }
}

/// Why a request is refused; nothing for a reply.
pub(crate) fn why(answer: &Answer) -> String {
    answer.cause().map(ToString::to_string).unwrap_or_default()
}

impl Run {
    #[track_caller]
    pub(crate) fn check_reason(&self, outcome: &Result<Option<Answer>, Fault>) {
        if let Ok(Some(answer)) = outcome {
            let id = answer.reason().id;
            let listed = self.kind.reasons.iter().any(|reason| reason == answer.reason());
            assert!(listed, "`{}` ends a request for `{id}` and does not list it in REASONS", self.kind.id);
            if let Err(wrong) = self.origin.check(answer, &self.secrets) {
                panic!("`{}` ends a request for `{id}`, and {wrong}", self.kind.id);
            }
        }
    }

    /// The request went on.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn next(self) -> Self {
        assert!(matches!(self.outcome, Ok(None)), "`{}` {}", self.kind.id, describe(&self.outcome));
        self
    }

    /// The request was refused.
    ///
    /// # Panics
    /// When it was not, or not for this reason.
    #[track_caller]
    pub fn assert_denied(self, status: u16, reason: &str) -> Self {
        let run = self.assert_answer(status, reason);
        assert_ne!(run.answer().reason().meaning, Meaning::Reply, "{reason} is a reply, not a refusal");
        run
    }

    /// The filter answered in place of the upstream, without refusing.
    ///
    /// # Panics
    /// When it did not, or not for this reason.
    #[track_caller]
    pub fn assert_reply(self, status: u16, reason: &str) -> Self {
        let run = self.assert_answer(status, reason);
        assert_eq!(run.answer().reason().meaning, Meaning::Reply, "{reason} is a refusal, not a reply");
        run
    }

    /// The filter could not decide.
    ///
    /// # Panics
    /// When it did, or the fault is another.
    #[track_caller]
    pub fn assert_fault(self, id: &str) -> Self {
        match &self.outcome {
            Err(fault) if fault.id == id => self,
            other => panic!("`{}` {}; expected the fault {id}", self.kind.id, describe(other)),
        }
    }

    #[track_caller]
    fn assert_answer(self, status: u16, reason: &str) -> Self {
        let expected = format!("expected {status} {reason}");
        match &self.outcome {
            Ok(Some(answer)) if answer.reason().id == reason => {
                assert_eq!(answer.status(), status, "the status of {reason}");
                self
            }
            other => panic!("`{}` {}; {expected}", self.kind.id, describe(other)),
        }
    }

    /// What the filter came to, untouched.
    pub fn outcome(&self) -> &Result<Option<Answer>, Fault> {
        &self.outcome
    }

    /// When the request came.
    pub fn moment(&self) -> Moment {
        self.call.moment()
    }

    /// What the filter asked of views so far, and was answered.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.views).into_notes()
    }

    /// The answer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn answer(&self) -> &Answer {
        match &self.outcome {
            Ok(Some(answer)) => answer,
            other => panic!("`{}` {}; it made no answer", self.kind.id, describe(other)),
        }
    }

    /// A header of the answer, when it is text.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.answer().headers().iter().find(|(have, _)| have == name)?;
        value.to_str().ok()
    }

    /// The request head after the first phase.
    pub fn request(&self) -> &RequestHead {
        &self.head
    }

    /// The first value of a request header after the first phase, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.fields().get(name)?.to_str().ok()
    }

    /// A fact that is known now.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn fact<T: Fact>(&self) -> &T {
        let known = self.facts.get::<T>();
        known.unwrap_or_else(|| panic!("`{}` is not known after `{}`", T::NAME, self.kind.id))
    }

    /// The head of one attempt upstream.
    ///
    /// # Errors
    /// The filter's.
    pub fn try_upstream(&mut self) -> Result<RequestHead, Fault> {
        let mut req = copy(&self.head);
        let cx = DynUpstream { req: &mut req, call: &self.call, facts: &self.facts, state: &mut *self.state };
        self.filter.on_upstream(cx).map(|()| req)
    }

    /// The head of one attempt upstream.
    ///
    /// # Panics
    /// When the filter refuses to send it.
    #[track_caller]
    pub fn upstream(&mut self) -> RequestHead {
        self.try_upstream().unwrap_or_else(|fault| panic!("the filter does not send this upstream: {fault}"))
    }

    /// The head the client gets when the upstream, or the gateway, answers with this status and no header.
    ///
    /// # Panics
    /// When the filter refuses to send it.
    #[track_caller]
    pub fn response(&mut self, status: u16) -> ResponseHead {
        self.response_with(status, &[])
    }

    /// The head the client gets when the upstream, or the gateway, answers with this status and these headers.
    ///
    /// # Panics
    /// When the filter refuses to send it, or status or headers are not legal.
    #[track_caller]
    pub fn response_with(&mut self, status: u16, headers: &[(&str, &str)]) -> ResponseHead {
        let mut resp = ResponseHead::build(status).expect("the status of a test is legal");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("the header name of a test is legal");
            resp.append(name, HeaderValue::from_str(value).expect("the header value of a test is legal"));
        }
        self.try_response(&mut resp).unwrap_or_else(|fault| panic!("the filter does not send this response: {fault}"));
        resp
    }

    /// The body that the filter has for a refusal of the gateway's own with this status.
    pub fn page(&mut self, status: u16) -> Option<Page> {
        static REFUSED: Reason = Reason::refused("test.refused", 403, 0, "The request is refused", "By a test.");
        let (req, call, state) = (&self.head, &self.call, &mut *self.state);
        self.filter.page(DynPage { req, status, reason: &REFUSED, call, state })
    }

    /// Runs the response phase over a head.
    ///
    /// # Errors
    /// The filter's.
    pub fn try_response(&mut self, resp: &mut ResponseHead) -> Result<(), Fault> {
        let is_upstreams = matches!(self.outcome, Ok(None));
        self.filter.on_response(DynResponse { resp, is_upstreams, call: &self.call, state: &mut *self.state })
    }

    /// The body as it goes upstream, when the filter reads it.
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Whether the filter reads an answer with such a head whole.
    pub fn reads(&self, head: &ResponseHead) -> bool {
        let status = StatusCode::from_u16(head.status()).expect("a head has a legal status");
        let media_type = head.get(&http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        self.filter.answer_body().is_some_and(|read| read.answers.covers(status, media_type))
    }

    /// Shows the filter a whole answer. What it makes of head and body is in them then.
    ///
    /// # Errors
    /// The filter's.
    ///
    /// # Panics
    /// When the filter does not read such an answer, accepts fewer bytes, never comes to a decision, or ends the request for a reason that
    /// it does not list.
    #[track_caller]
    pub fn try_answer(&mut self, head: &mut AnswerHead, body: &mut Body) -> Result<Option<Answer>, Fault> {
        let id = self.kind.id;
        assert!(self.reads(head), "`{id}` does not read an answer with such a status and media type");
        let limit = self.filter.answer_body().map_or(0, |answers| answers.limit);
        assert!(body.len() <= limit, "`{id}` accepts {limit} bytes, and would never see this answer");
        let cx = DynAnswer { head, body, call: &self.call, views: &mut self.views, state: &mut *self.state };
        let Some((outcome, _)) = drive(self.filter.on_answer(cx)) else { panic!("`{id}` never came to a decision about an answer") };
        self.check_reason(&outcome);
        outcome
    }

    /// The head and the body of an answer with this status, these headers and this body as the filter leaves them.
    ///
    /// # Panics
    /// When the filter does not let it go on, and as [`Run::try_answer`] does.
    #[track_caller]
    pub fn answer_with(&mut self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> (AnswerHead, Body) {
        let mut head = AnswerHead::build(status).expect("the status of a test is legal");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("the header name of a test is legal");
            head.append(name, HeaderValue::from_str(value).expect("the header value of a test is legal"));
        }
        let mut body = Body::from(body.into());
        let outcome = self.try_answer(&mut head, &mut body);
        assert!(matches!(outcome, Ok(None)), "`{}` {}", self.kind.id, describe(&outcome));
        (head, body)
    }

    /// A piece of the response body as the client gets it.
    ///
    /// # Panics
    /// When the filter cuts the response here.
    #[track_caller]
    pub fn chunk(&mut self, body: Option<Bytes>, end: bool) -> Option<Bytes> {
        let mut body = body;
        let outcome = self.filter.on_chunk(DynChunk { body: &mut body, end, state: &mut *self.state });
        outcome.unwrap_or_else(|fault| panic!("the filter cuts the response: {fault}"));
        body
    }

    /// A piece of body that the filter may cut.
    pub fn chunk_if_it_may(&mut self, piece: Vec<u8>) {
        let _ = self.filter.on_chunk(DynChunk { body: &mut Some(piece.into()), end: true, state: &mut *self.state });
    }

    /// Ends the request.
    pub fn done(&mut self, status: u16) {
        self.done_after(status, 0, 0);
    }

    /// Ends the request after so many bytes of its body and of the answer's.
    pub fn done_after(&mut self, status: u16, bytes_in: u64, bytes_out: u64) {
        let reason = self.outcome.as_ref().ok().and_then(Option::as_ref).map(|answer| answer.reason().id);
        self.filter.on_done(DynDone {
            call: &self.call,
            outcome: Outcome { status, reason, bytes_in, bytes_out },
            state: &mut *self.state,
        });
    }
}

/// A head with the same content.
fn copy(head: &RequestHead) -> RequestHead {
    let target = head.query().map_or_else(|| head.path().to_owned(), |query| format!("{}?{query}", head.path()));
    let mut copy = RequestHead::build(head.method().as_str(), &target).expect("it was legal before");
    for (name, value) in head.fields() {
        copy.append(name.clone(), value.clone());
    }
    copy
}
