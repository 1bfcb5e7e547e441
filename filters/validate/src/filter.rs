//! What runs.

use http::header::CONTENT_TYPE;
use tollgate_filter_api::{AnswerCx, AnswerUse, BodyUse, Call, Cx, Env, Fault, Filter, Flow, Posture, Problem, Reason, RequestHead};
use tollgate_validation::{Broken, Direction, Finding, Library, Part, json, rules::OperationRules};

use crate::{
    answers::Answers,
    body::Bodies,
    config::{Codes, Config, Mode, Unknown},
    reasons,
};

/// The `validate` filter.
#[derive(Debug)]
pub struct Validate {
    mode: Mode,
    codes: Codes,
    required: bool,
    body: Option<Bodies>,
    response: Mode,
    answers: Answers,
    bytes: usize,
    limits: json::Limits,
}

impl Filter for Validate {
    const ID: &'static str = "validate";
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = OperationRules;
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, declared: &OperationRules, _: &Env) -> bool {
        declared.is_empty() || (config.request == Mode::Off && config.response == Mode::Off)
    }

    fn build(config: Config, declared: OperationRules, env: &Env) -> Result<Self, Problem> {
        let library = env.declared.get::<Library>()?;
        let refused = |direction| (config.other_way == Unknown::Refuse).then_some(direction);
        let required = declared.body.as_ref().is_some_and(|body| body.required);
        let body = declared.body.map(|body| Bodies::compile(&body.content, &library, refused(Direction::Request)));
        let body = body.transpose().map_err(unenforceable)?;
        let answers = Answers::compile(&declared.answers, &library, refused(Direction::Answer)).map_err(unenforceable)?;
        let bytes = usize::try_from(config.limits.body.0).unwrap_or(usize::MAX);
        Ok(Self {
            mode: config.request,
            codes: config.codes,
            required,
            body,
            response: config.response,
            answers,
            bytes,
            limits: config.limits.json(),
        })
    }

    fn request_body(&self) -> BodyUse {
        if self.mode == Mode::Enforce && self.body.is_some() { BodyUse::Whole(self.bytes) } else { BodyUse::None }
    }

    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool {
        let content_type = req.get(&CONTENT_TYPE).and_then(|value| value.to_str().ok());
        call.has_body && self.body.as_ref().is_some_and(|body| body.schema(content_type).is_some())
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        if self.response == Mode::Enforce { self.answers.held(self.bytes) } else { None }
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        let content_type = cx.head.get(&CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let schema = self.answers.of(cx.head.status()).and_then(|declared| declared.bodies.schema(content_type));
        let findings = schema.map_or_else(Vec::new, |schema| Bodies::judge(schema, cx.body, &self.limits));
        if findings.is_empty() { Ok(Flow::Next(())) } else { Ok(Flow::Stop(reasons::answer(&findings, self.codes))) }
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let mut findings = Vec::new();
        let content_type = cx.req.get(&CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if self.required && !cx.call.has_body {
            findings.push(Finding::new(Part::Body, "required", "is missing"));
        } else if cx.call.has_body
            && let Some(bodies) = &self.body
        {
            match (bodies.schema(content_type), &cx.body) {
                (Some(schema), Some(body)) => findings.extend(Bodies::judge(schema, body, &self.limits)),
                _ => findings.push(Finding::new(Part::Body, "content-type", "has a media type that the definition does not declare")),
            }
        }
        if findings.is_empty() || self.mode != Mode::Enforce {
            return Ok(Flow::Next(()));
        }
        Ok(Flow::Stop(reasons::request(&findings, self.codes)))
    }
}

/// What cannot be enforced does not start.
fn unenforceable(broken: Broken) -> Problem {
    Problem::error("validate.schema", format!("a schema cannot be enforced: {broken}")).of_declaration()
}
