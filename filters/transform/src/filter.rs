//! What runs.

use std::sync::{Arc, Mutex, PoisonError};

use tollgate_changes::{
    facts::{Caller, Seen},
    heads::Rendered,
    json::{Made, Remove},
};
use tollgate_filter_api::{
    AnswerCx, AnswerSet, AnswerUse, BodyUse, Bytes, Call, Cx, Env, Fault, Filter, Flow, Peer, Posture, Principal, Problem, Reason,
    RequestHead, ResponseCx,
};
use tollgate_validation::{BodyLimits, json};

use crate::{
    body::{Coding, Limits, Pipeline, Wrong},
    config::{Config, Other},
    reasons, request, response,
};

/// Bytes from which on a body is changed beside the requests.
const LARGE: usize = 256 << 10;

/// The `transform` filter.
#[derive(Debug)]
pub struct Transform {
    request: request::Head,
    body: Arc<Pipeline>,
    other_bodies: Other,
    response: response::Head,
    answer: Arc<Pipeline>,
    /// Removes what no client sees from answers whose status has no other changes.
    redact: Arc<Pipeline>,
    other_answers: Other,
    bytes: usize,
    env: Env,
}

/// Values for the way back that say something of the request; it is not known there.
#[derive(Debug, Default)]
pub struct Back(Option<Box<(Rendered, Made)>>);

impl Filter for Transform {
    const ID: &'static str = "transform";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = (Principal, Peer);
    type Gives = ();
    type State = Back;

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        let Config { request, response, .. } = config;
        let query = &request.query;
        let asks_for = request.method.is_none() && request.path.is_none() && request.body.is_empty();
        let query = query.set.is_empty() && query.add.is_empty() && query.remove.is_empty() && query.rename.is_empty();
        let cookies = request.cookies.set.is_empty() && request.cookies.remove.is_empty();
        let answer = response.status.is_empty() && response.headers.is_empty() && response.remove_cookies.is_empty();
        asks_for && query && cookies && request.headers.is_empty() && answer && response.body.is_empty() && response.redact.is_empty()
    }

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        let limits = limits(&config)?;
        let redact = || Remove::parse(&config.response.redact, "/response/redact");
        let wanted = |is: bool| if is { redact().map(Some) } else { Ok(None) };
        let redacts = !config.response.redact.is_empty();
        Ok(Self {
            request: request::Head::parse(&config.request)?,
            body: Arc::new(Pipeline::parse(&config.request.body, "/request/body", None, &limits)?),
            other_bodies: config.request.other_bodies,
            response: response::Head::parse(&config.response)?,
            answer: Arc::new(Pipeline::parse(&config.response.body, "/response/body", wanted(redacts)?, &limits)?),
            redact: Arc::new(Pipeline::parse(&[], "/response/body", wanted(redacts)?, &limits)?),
            other_answers: config.response.other_bodies,
            bytes: limits.bytes,
            env: env.clone(),
        })
    }

    fn request_body(&self) -> BodyUse {
        if self.body.is_empty() { BodyUse::None } else { BodyUse::Whole(self.bytes) }
    }

    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool {
        call.has_body && self.body.reads.is_of(req.fields())
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        if self.answer.is_empty() {
            return None;
        }
        let statuses = if self.redact.is_empty() { self.response.statuses().to_vec() } else { Vec::new() };
        let media_types = if self.other_answers == Other::Refuse { Vec::new() } else { self.answer.reads.media_types() };
        Some(AnswerUse { limit: self.bytes, answers: AnswerSet { statuses, media_types } })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (principal, peer) = cx.given;
        let seen = Seen { call: cx.call, head: Some(cx.req), caller: Some(Caller { principal, peer }) };
        let changed = match self.request.render(&seen) {
            Ok(changed) => changed,
            Err(answer) => return Ok(Flow::Stop(answer)),
        };
        let Ok(made) = self.body.slots.render(&seen) else { return Ok(Flow::Stop(reasons::too_long("/request/body"))) };
        match self.back(&seen) {
            Ok(back) => cx.state.0 = back,
            Err(place) => return Ok(Flow::Stop(reasons::too_long(place))),
        }
        if !self.body.is_empty() && cx.call.has_body {
            match (self.body.reads.is_of(cx.req.fields()), cx.body) {
                (true, Some(body)) if !body.is_empty() => {
                    let coding = Coding::of(cx.req.fields());
                    match self.run(&self.body, body.bytes(), coding, made).await {
                        Ok(bytes) => body.replace(bytes),
                        Err(wrong) => return Ok(Flow::Stop(reasons::of_request(&wrong))),
                    }
                }
                (false, _) if self.other_bodies == Other::Refuse => {
                    return Ok(Flow::Stop(reasons::of_request(&Wrong::MediaType)));
                }
                _ => {}
            }
        }
        Ok(match self.request.apply(cx.req, changed, &cx.call.operation.base_path) {
            Ok(()) => Flow::Next(()),
            Err(answer) => Flow::Stop(answer),
        })
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        let is_changed = self.response.covers(cx.head.status());
        let pipeline = if is_changed { &self.answer } else { &self.redact };
        if cx.body.is_empty() || pipeline.is_empty() {
            return Ok(Flow::Next(()));
        }
        if !pipeline.reads.is_of(cx.head.fields()) {
            let is_refused = is_changed && self.other_answers == Other::Refuse;
            return Ok(if is_refused { Flow::Stop(reasons::of_answer(&Wrong::MediaType)) } else { Flow::Next(()) });
        }
        let made = match &cx.state.0 {
            Some(back) => back.1.clone(),
            None => pipeline.slots.render(&nobody(cx.call)).map_err(|_| Fault::new("transform.value_too_long", "a value for a body"))?,
        };
        match self.run(pipeline, cx.body.bytes(), Coding::of(cx.head.fields()), made).await {
            Ok(bytes) => cx.body.replace(bytes),
            Err(wrong) => return Ok(Flow::Stop(reasons::of_answer(&wrong))),
        }
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if !cx.is_upstreams || !self.response.covers(cx.resp.status()) {
            return Ok(());
        }
        let rendered = match &cx.state.0 {
            Some(back) => back.0.clone(),
            None => self.response.render(&nobody(cx.call)).map_err(|_| Fault::new("transform.value_too_long", "a response header"))?,
        };
        self.response.apply(cx.resp, rendered);
        Ok(())
    }
}

impl Transform {
    /// What the way back needs of the request.
    ///
    /// # Errors
    /// The setting with a value that is too long.
    fn back(&self, seen: &Seen<'_>) -> Result<Option<Box<(Rendered, Made)>>, &'static str> {
        if !self.response.fields.needs_request() && !self.answer.slots.needs_request() {
            return Ok(None);
        }
        let rendered = self.response.render(seen).map_err(|_| "/response/headers")?;
        let made = self.answer.slots.render(seen).map_err(|_| "/response/body")?;
        Ok(Some(Box::new((rendered, made))))
    }

    /// Changes a body; a large one on another thread when one is free.
    async fn run(&self, pipeline: &Arc<Pipeline>, body: &Bytes, coding: Coding, made: Made) -> Result<Vec<u8>, Wrong> {
        if body.len() < LARGE {
            return pipeline.run(body, coding.text(), &made);
        }
        let done = Arc::new(Mutex::new(None));
        let job = Arc::new((pipeline.clone(), body.clone(), coding, made));
        let (theirs, place) = (job.clone(), done.clone());
        let work = move || {
            let (pipeline, body, coding, made) = &*theirs;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(pipeline.run(body, coding.text(), made));
            true
        };
        self.env.world.judge(Box::new(work)).await;
        let ended = done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (pipeline, body, coding, made) = &*job;
        ended.unwrap_or_else(|| pipeline.run(body, coding.text(), made))
    }
}

/// An answer of which nothing is known but its operation.
fn nobody(call: &Call) -> Seen<'_> {
    Seen { call, head: None, caller: None }
}

fn limits(config: &Config) -> Result<Limits, Problem> {
    let written = &config.limits;
    if usize::from(written.depth) > json::DEEPEST {
        return Err(Problem::setting("/limits/depth", format!("it must be at most {}", json::DEEPEST)));
    }
    let bytes = usize::try_from(written.body.0).unwrap_or(usize::MAX);
    let json = json::Limits { depth: written.depth.into(), values: written.values as usize, string: bytes, ..json::Limits::default() };
    let decoded = BodyLimits { decoded: bytes, json, ..BodyLimits::default() };
    Ok(Limits { bytes, json, decoded })
}
