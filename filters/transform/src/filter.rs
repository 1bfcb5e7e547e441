//! What runs.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use tollgate_changes::{
    facts::{Caller, Seen},
    heads::Rendered,
    json::Remove,
};
use tollgate_filter_api::{
    AnswerCx, AnswerSet, AnswerUse, Body, BodyUse, Bytes, Call, Cx, Env, Fault, Filter, Flow, Peer, Posture, Principal, Problem, Reason,
    RequestHead, ResponseCx,
};
use tollgate_validation::{BodyLimits, json, rules::OperationRules};

use crate::{
    body::{self, Coding, Declared, Limits, Notation, Pipeline, Values, Wrong},
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
pub struct Back(Option<Box<(Rendered, Values)>>);

impl Filter for Transform {
    const ID: &'static str = "transform";
    const DECLARED_TO: &'static str = "validate";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    /// What the definition says of bodies, for conversions.
    type Declared = OperationRules;
    type Needs = (Principal, Peer);
    type Gives = ();
    type State = Back;

    fn is_idle(config: &Config, _: &OperationRules, _: &Env) -> bool {
        config.request.is_empty() && config.response.is_empty()
    }

    fn build(config: Config, declared: OperationRules, env: &Env) -> Result<Self, Problem> {
        let limits = limits(&config)?;
        let library = body::library(&declared, env)?;
        let (requests, answers) = (Declared::requests(&declared, &library), Declared::answers(&declared, &library));
        let redact = || Remove::parse(&config.response.redact, "/response/redact");
        let wanted = |is: bool| if is { redact().map(Some) } else { Ok(None) };
        let redacts = !config.response.redact.is_empty();
        Ok(Self {
            request: request::Head::parse(&config.request)?,
            body: Arc::new(Pipeline::parse(&config.request.body, "/request/body", None, &requests, &limits)?),
            other_bodies: config.request.other_bodies,
            response: response::Head::parse(&config.response)?,
            answer: Arc::new(Pipeline::parse(&config.response.body, "/response/body", wanted(redacts)?, &answers, &limits)?),
            redact: Arc::new(Pipeline::parse(&[], "/response/body", wanted(redacts)?, &answers, &limits)?),
            other_answers: config.response.other_bodies,
            bytes: limits.bytes,
            env: env.clone(),
        })
    }

    fn request_body(&self) -> BodyUse {
        if self.body.is_empty() { BodyUse::None } else { BodyUse::Whole(self.bytes) }
    }

    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool {
        self.body.reads.is_none() || call.has_body && self.body.reads(req.fields())
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        if self.answer.is_empty() {
            return None;
        }
        let statuses = if self.redact.is_empty() { self.response.statuses().to_vec() } else { Vec::new() };
        let media_types = match self.answer.reads {
            Some(reads) if self.other_answers == Other::Pass => {
                // What no client sees is taken out of JSON, whatever the first step reads.
                let redacted = self.redact.reads.filter(|_| !self.redact.is_empty() && reads != Notation::Json);
                reads.media_types().into_iter().chain(redacted.into_iter().flat_map(Notation::media_types)).collect()
            }
            _ => Vec::new(),
        };
        Some(AnswerUse { limit: self.bytes, answers: AnswerSet { statuses, media_types } })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (principal, peer) = cx.given;
        let seen = Seen { call: cx.call, head: Some(cx.req), caller: Some(Caller { principal, peer }) };
        let changed = match self.request.render(&seen) {
            Ok(changed) => changed,
            Err(answer) => return Ok(Flow::Stop(answer)),
        };
        let Ok(values) = self.body.values(&seen) else { return Ok(Flow::Stop(reasons::too_long("/request/body"))) };
        match self.back(&seen) {
            Ok(back) => cx.state.0 = back,
            Err(place) => return Ok(Flow::Stop(reasons::too_long(place))),
        }
        if let Err(wrong) = self.change_body(cx.req, cx.call, cx.body, values).await {
            return reasons::of_request(&wrong);
        }
        Ok(match self.request.apply(cx.req, changed, &cx.call.operation.base_path) {
            Ok(()) => Flow::Next(()),
            Err(answer) => Flow::Stop(answer),
        })
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        let is_changed = self.response.covers(cx.head.status()) && (self.answer.reads.is_none() || !cx.body.is_empty());
        let can_change = self.answer.reads(cx.head.fields());
        if is_changed && !can_change && self.other_answers == Other::Refuse {
            return reasons::of_answer(&Wrong::MediaType);
        }
        let pipeline = if is_changed && can_change { &self.answer } else { &self.redact };
        if pipeline.is_empty() || cx.body.is_empty() && pipeline.reads.is_some() || !pipeline.reads(cx.head.fields()) {
            return Ok(Flow::Next(()));
        }
        let values = match &cx.state.0 {
            Some(back) => Ok(back.1.clone()),
            None => pipeline.values(&nobody(cx.call)),
        };
        let values = values.map_err(|_| Fault::new("transform.value_too_long", "a value for a body"))?;
        let values = values.answering(cx.head.status());
        match self.run(pipeline, cx.body.bytes(), Coding::of(cx.head.fields()), values).await {
            Ok(bytes) => cx.body.replace(bytes),
            Err(wrong) => return reasons::of_answer(&wrong),
        }
        if let Some(media_type) = &pipeline.writes {
            cx.head.set(CONTENT_TYPE, media_type.clone());
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
    fn back(&self, seen: &Seen<'_>) -> Result<Option<Box<(Rendered, Values)>>, &'static str> {
        if !self.response.fields.needs_request() && !self.answer.needs_request() {
            return Ok(None);
        }
        let rendered = self.response.render(seen).map_err(|_| "/response/headers")?;
        let values = self.answer.values(seen).map_err(|_| "/response/body")?;
        Ok(Some(Box::new((rendered, values))))
    }

    /// Changes the body of a request, when it has one for the first step.
    async fn change_body(&self, head: &mut RequestHead, call: &Call, body: Option<&mut Body>, values: Values) -> Result<(), Wrong> {
        let makes = self.body.reads.is_none();
        if self.body.is_empty() || !call.has_body && !makes {
            return Ok(());
        }
        if !self.body.reads(head.fields()) {
            return if self.other_bodies == Other::Refuse { Err(Wrong::MediaType) } else { Ok(()) };
        }
        let Some(body) = body.filter(|body| makes || !body.is_empty()) else { return Ok(()) };
        let changed = self.run(&self.body, body.bytes(), Coding::of(head.fields()), values).await?;
        body.replace(changed);
        if let Some(media_type) = &self.body.writes {
            head.set(CONTENT_TYPE, media_type.clone());
        }
        Ok(())
    }

    /// Changes a body; a large one on another thread when one is free.
    async fn run(&self, pipeline: &Arc<Pipeline>, body: &Bytes, coding: Coding, values: Values) -> Result<Vec<u8>, Wrong> {
        if body.len() < LARGE {
            return pipeline.run(body, coding.text(), &values);
        }
        let job = Arc::new((pipeline.clone(), body.clone(), coding, values));
        let run = |job: &(Arc<Pipeline>, Bytes, Coding, Values)| job.0.run(&job.1, job.2.text(), &job.3);
        let theirs = job.clone();
        let ended = self.env.beside(move || run(&theirs)).await;
        ended.unwrap_or_else(|| run(&job))
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
    Ok(Limits { bytes, json, jq: written.jq.0, decoded })
}
