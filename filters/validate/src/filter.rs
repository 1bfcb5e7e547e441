//! What runs.

use std::sync::Arc;

use tollgate_filter_api::{
    AnswerCx, AnswerUse, BodyUse, Bytes, Call, ChunkCx, Counter, Cx, DoneCx, Env, Fault, Filter, Flow, MetricDoc, Posture, Problem, Reason,
    RequestChunkCx, RequestHead, ResponseCx, UpstreamCx,
};
use tollgate_validation::{
    Broken, Direction, Finding, Library, Part, Which, json,
    ledger::{Ledger, Record, Records},
    rules::OperationRules,
};

use crate::{
    answers::Answers,
    config::{Codes, Config, Mode, OtherWay, Unknown},
    message::{Judge, LARGE, Label},
    reasons,
    request::Requests,
    watch::{Copy, Room},
};

/// The `validate` filter.
pub struct Validate {
    request: Mode,
    response: Mode,
    codes: Codes,
    undeclared_body: Unknown,
    unknown_query: Unknown,
    requests: Requests,
    answers: Answers,
    bytes: usize,
    room: Arc<Room>,
    counters: Counters,
    records: Records,
    env: Env,
}

struct Counters {
    refused: Counter,
    reported: Counter,
    unjudged: Counter,
}

/// What belongs to one request: bodies that are watched.
#[derive(Default)]
pub struct Watched {
    request: Option<Box<Watching>>,
    answer: Option<Box<Watching>>,
    /// The answer was held and judged.
    was_held: bool,
}

struct Watching {
    label: Label,
    /// What its body is held to, if it is.
    which: Option<Which>,
    status: u16,
    copy: Copy,
    /// What is wrong with the head of an answer.
    findings: Vec<Finding>,
}

impl Filter for Validate {
    const ID: &'static str = "validate";
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "validate_refused_total", help: "Messages that were refused" },
        MetricDoc { name: "validate_reported_total", help: "Messages that were not what they should be and went on" },
        MetricDoc { name: "validate_unjudged_total", help: "Bodies that were to be watched and were too large or too many" },
    ];
    type Config = Config;
    type Declared = OperationRules;
    type Needs = ();
    type Gives = ();
    type State = Watched;

    fn is_idle(config: &Config, declared: &OperationRules, _: &Env) -> bool {
        let asks = [config.unknown_query, config.undeclared_body].iter().any(|asked| *asked != Unknown::Ignore);
        let judges_requests = !declared.parameters.is_empty() || declared.body.is_some() || asks;
        let judges_answers = declared.answers.iter().any(|answer| !answer.headers.is_empty() || !answer.content.is_empty());
        let (request, response) = config.modes(&declared.api, &declared.version);
        !(judges_requests && request != Mode::Off || judges_answers && response != Mode::Off)
    }

    fn named_apis(config: &Config) -> Vec<(String, String)> {
        config.apis.iter().map(|api| (api.name.clone(), api.version.clone())).collect()
    }

    fn build(config: Config, declared: OperationRules, env: &Env) -> Result<Self, Problem> {
        if usize::from(config.limits.depth) > json::DEEPEST {
            return Err(Problem::error("validate.depth", format!("`limits.depth` must be at most {}", json::DEEPEST)));
        }
        let library = env.declared.get::<Library>()?;
        let refused = |direction| (config.other_way == OtherWay::Refuse).then_some(direction);
        let limits = Arc::new(config.limits.of_bodies());
        let how = (refused(Direction::Request), config.unknown_query);
        let (request, response) = config.modes(&declared.api, &declared.version);
        // What nobody looks at costs neither time at start nor memory.
        let nothing = OperationRules::default();
        let looked_at = |mode| if mode == Mode::Off { &nothing } else { &declared };
        let requests = Requests::compile(looked_at(request), &declared.template, &library, how, &limits).map_err(unenforceable)?;
        let answers = &looked_at(response).answers;
        let answers = Answers::compile(answers, &library, refused(Direction::Answer), &limits).map_err(unenforceable)?;
        Ok(Self {
            request,
            response,
            codes: config.codes,
            undeclared_body: config.undeclared_body,
            unknown_query: config.unknown_query,
            requests,
            answers,
            bytes: usize::try_from(config.limits.body.0).unwrap_or(usize::MAX),
            room: env.shared.get_or_make("validate.room", || Ok(Room::default()))?,
            counters: Counters {
                refused: env.metrics.counter("validate_refused_total", None),
                reported: env.metrics.counter("validate_reported_total", None),
                unjudged: env.metrics.counter("validate_unjudged_total", None),
            },
            records: Records::new(Ledger::of(env)?, declared),
            env: env.clone(),
        })
    }

    fn request_body(&self) -> BodyUse {
        let is_judged = self.requests.body.as_ref().is_some_and(|body| body.is_judged);
        match self.request {
            Mode::Enforce if is_judged => BodyUse::Whole(self.bytes),
            Mode::Report if is_judged => BodyUse::Stream,
            _ => BodyUse::None,
        }
    }

    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool {
        let Some(body) = self.requests.body.as_ref().filter(|_| call.has_body) else { return false };
        Label::of(req.fields()).which(&body.judge.bodies).is_some_and(Which::is_judged)
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        if self.response == Mode::Enforce { self.answers.held(self.bytes) } else { None }
    }

    async fn on_request(&self, mut cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if self.request == Mode::Off {
            return Ok(Flow::Next(()));
        }
        let record = self.records.of(&cx.call.operation);
        record.request();
        let mut findings = Vec::new();
        let unknown = self.requests.judge_head(cx.req, cx.call, &mut findings, &mut |parameter| record.parameter(parameter));
        if self.requests.body.is_some() {
            self.judge_body(&mut cx, record, &mut findings).await?;
        }
        let mut only_told = usize::from(unknown && self.unknown_query == Unknown::Report);
        if self.requests.body.is_none() && cx.call.has_body && self.undeclared_body != Unknown::Ignore {
            findings.push(Finding::new(Part::Body, "content-type", "is there, and the definition has none"));
            only_told += usize::from(self.undeclared_body == Unknown::Report);
        }
        Ok(self.end_request(findings, only_told, cx.call))
    }

    fn on_upstream(&self, cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        cx.state.request.iter_mut().for_each(|watching| watching.copy.begin());
        Ok(())
    }

    fn on_request_chunk(&self, cx: RequestChunkCx<'_, Self>) -> Result<(), Fault> {
        cx.state.request.iter_mut().for_each(|watching| watching.copy.see(cx.body.as_ref(), cx.end));
        Ok(())
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        cx.state.was_held = true;
        let Some(declared) = self.answers.of(cx.head.status()) else { return Ok(Flow::Next(())) };
        let (label, mut findings) = (Label::of(cx.head.fields()), Vec::new());
        declared.judge_fields(cx.head, &mut findings);
        declared.judge_type(&label, !cx.body.is_empty(), &mut findings);
        if let Some(which) = label.which(&declared.judge.bodies)
            && !cx.body.is_empty()
        {
            let record = self.records.of(&cx.call.operation);
            findings.extend(self.judge(&declared.judge, which, &label, cx.body.bytes(), (Direction::Answer, record)).await);
        }
        if findings.is_empty() {
            return Ok(Flow::Next(()));
        }
        self.counters.refused.inc();
        self.note(&findings, Direction::Answer, true, cx.call);
        Ok(Flow::Stop(reasons::answer(&findings, self.codes)))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.state.answer = None;
        // What is enforced and was not held goes through, and its head is told of.
        let is_watched = self.response != Mode::Off && !cx.state.was_held;
        let Some(declared) = self.answers.of(cx.resp.status()).filter(|_| is_watched) else { return Ok(()) };
        let (label, mut findings) = (Label::of(cx.resp.fields()), Vec::new());
        declared.judge_fields(cx.resp, &mut findings);
        // Part of a document is not what is declared.
        let is_read = self.response == Mode::Report && cx.resp.status() != 206;
        let which = label.which(&declared.judge.bodies).filter(|which| is_read && which.is_judged());
        if findings.is_empty() && !declared.has_content {
            return Ok(());
        }
        let copy = Copy::new(self.bytes, &self.room);
        cx.state.answer = Some(Box::new(Watching { label, which, status: cx.resp.status(), copy, findings }));
        Ok(())
    }

    fn on_chunk(&self, cx: ChunkCx<'_, Self>) -> Result<(), Fault> {
        let watched = cx.state.answer.iter_mut().filter(|watching| watching.which.is_some());
        watched.for_each(|watching| watching.copy.see(cx.body.as_ref(), cx.end));
        Ok(())
    }

    fn on_done(&self, cx: DoneCx<'_, Self>) {
        let Watched { request, answer, .. } = std::mem::take(cx.state);
        if let Some(watching) = request {
            let judged = self.requests.body.as_ref().map(|body| &body.judge);
            self.watched(&watching, judged, Direction::Request, cx.call);
        }
        // What the gateway made is not the upstream's.
        let Some(watching) = answer.filter(|_| cx.outcome.reason.is_none()) else { return };
        let Some(declared) = self.answers.of(watching.status) else { return };
        let mut findings = watching.findings.clone();
        declared.judge_type(&watching.label, cx.outcome.bytes_out > 0, &mut findings);
        if !findings.is_empty() {
            self.report(&findings, Direction::Answer, cx.call);
        }
        self.watched(&watching, Some(&declared.judge), Direction::Answer, cx.call);
    }
}

impl Validate {
    /// Judges the body when it is there, or has it watched.
    async fn judge_body(&self, cx: &mut Cx<'_, Self>, record: &Record, findings: &mut Vec<Finding>) -> Result<(), Fault> {
        let label = Label::of(cx.req.fields());
        let Some((body, which)) = self.requests.which(&label, cx.call.has_body, findings) else { return Ok(()) };
        record.body(which.rule());
        match &cx.body {
            Some(bytes) if bytes.is_empty() => body.missing(findings),
            Some(bytes) => {
                let about = (Direction::Request, record);
                findings.extend(self.judge(&body.judge, which, &label, bytes.bytes(), about).await);
            }
            None if self.request == Mode::Report && which.is_judged() => {
                let copy = Copy::new(self.bytes, &self.room);
                cx.state.request = Some(Box::new(Watching { label, which: Some(which), status: 0, copy, findings: Vec::new() }));
            }
            None if which.is_judged() => return Err(Fault::new("validate.body", "the body was not read, and has to be judged")),
            None => {}
        }
        Ok(())
    }

    /// What is wrong with a body that is there.
    async fn judge(&self, judge: &Judge, which: Which, label: &Label, body: &Bytes, about: (Direction, &Record)) -> Vec<Finding> {
        if body.len() < LARGE { self.now(judge, which, label, body, about) } else { judge.beside(which, label, body, &self.env).await }
    }

    fn now(&self, judge: &Judge, which: Which, label: &Label, body: &[u8], (direction, record): (Direction, &Record)) -> Vec<Finding> {
        judge.now(which, label, body, &|schema, value| {
            if record.sampled() {
                record.visit(direction, schema, value);
            }
        })
    }

    /// `only_told` of the findings are no reason to refuse.
    fn end_request(&self, mut findings: Vec<Finding>, only_told: usize, call: &Call) -> Flow {
        if findings.is_empty() {
            return Flow::Next(());
        }
        if findings.len() == only_told || self.request == Mode::Report {
            self.report(&findings, Direction::Request, call);
            return Flow::Next(());
        }
        self.counters.refused.inc();
        self.note(&findings, Direction::Request, true, call);
        findings.truncate(tollgate_validation::MOST);
        Flow::Stop(reasons::request(&findings, self.codes))
    }

    /// A body that was watched, now that it is over.
    fn watched(&self, watching: &Watching, judge: Option<&Judge>, direction: Direction, call: &Call) {
        if watching.copy.is_given_up() {
            self.counters.unjudged.inc();
        }
        let (Some(judge), Some(which), Some(body)) = (judge, watching.which, watching.copy.whole()) else { return };
        let about = (direction, self.records.of(&call.operation));
        let findings = if body.is_empty() { Vec::new() } else { self.now(judge, which, &watching.label, body, about) };
        if !findings.is_empty() {
            self.report(&findings, direction, call);
        }
    }

    fn report(&self, findings: &[Finding], direction: Direction, call: &Call) {
        self.counters.reported.inc();
        self.note(findings, direction, false, call);
    }

    fn note(&self, findings: &[Finding], direction: Direction, refused: bool, call: &Call) {
        let record = self.records.of(&call.operation);
        findings.iter().for_each(|finding| record.finding(direction, refused, finding, call.now, &call.request_id));
    }
}

/// What cannot be enforced does not start.
fn unenforceable(broken: Broken) -> Problem {
    Problem::error("validate.schema", format!("a schema cannot be enforced: {broken}")).of_declaration()
}
