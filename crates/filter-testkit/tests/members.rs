//! A whole filter, as an author would write it: it reads a declaration, replaces a request's body and judges a whole answer.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tollgate_filter_api::{
    Answer, AnswerCx, AnswerSet, AnswerUse, BodyUse, ByteSize, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue,
    Kind, Problem, Reason, ResponseHead, Rule,
};
use tollgate_filter_testkit::{Conformance, Harness};

const REQUEST: Reason = Reason::refused("members.request", 400, 0, "The body is no JSON object", "Send `{...}`.");
const ANSWER: Reason = Reason::refused("members.answer", 502, 0, "The answer is not what was declared", "The log names what is missing.");
const CHECKED: HeaderName = HeaderName::from_static("x-checked");

/// Settings of `members`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Most bytes of a body, of requests and of answers.
    max_bytes: ByteSize,
}

/// What `x-tollgate-members` of an operation says.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// Members that bodies of requests may have.
    #[serde(default)]
    request: Vec<String>,
    /// Members that answers must have.
    #[serde(default)]
    answer: Vec<String>,
}

struct Members {
    limit: usize,
    declared: Declared,
}

fn object(body: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(body).ok()
}

fn refuse(reason: &'static Reason, why: impl Into<Cow<'static, str>>, declaration: &'static str) -> Answer {
    reason.because(Cause::new(CauseKind::Malformed, "body", Rule::declaration(declaration)).detail(why))
}

impl Filter for Members {
    const ID: &'static str = "members";
    const REASONS: &'static [Reason] = &[REQUEST, ANSWER];
    type Config = Config;
    type Declared = Declared;
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(_: &Config, declared: &Declared, _: &Env) -> bool {
        declared.request.is_empty() && declared.answer.is_empty()
    }

    fn build(config: Config, declared: Declared, _: &Env) -> Result<Self, Problem> {
        let limit = usize::try_from(config.max_bytes.0).map_err(|_| Problem::error("members.max_bytes", "too many bytes"))?;
        Ok(Self { limit, declared })
    }

    fn request_body(&self) -> BodyUse {
        if self.declared.request.is_empty() { BodyUse::None } else { BodyUse::Whole(self.limit) }
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        let answers =
            AnswerUse { limit: self.limit, answers: AnswerSet { statuses: vec![2], media_types: vec!["application/json".into()] } };
        (!self.declared.answer.is_empty()).then_some(answers)
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let Some(body) = cx.body else { return Ok(Flow::Next(())) };
        let Some(mut members) = object(body) else { return Ok(Flow::Stop(refuse(&REQUEST, "it is no JSON object", "/request"))) };
        let sent = members.len();
        members.retain(|name, _| self.declared.request.contains(name));
        if members.len() < sent {
            body.replace(Value::Object(members).to_string());
        }
        Ok(Flow::Next(()))
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        let Some(members) = object(cx.body) else { return Ok(Flow::Stop(refuse(&ANSWER, "it is no JSON object", "/answer"))) };
        if let Some(missing) = self.declared.answer.iter().find(|name| !members.contains_key(*name)) {
            return Ok(Flow::Stop(refuse(&ANSWER, format!("`{missing}` is missing"), "/answer")));
        }
        cx.head.set(CHECKED, HeaderValue::from_static("yes"));
        Ok(Flow::Next(()))
    }
}

static KIND: Kind = Kind::of::<Members>(
    include_str!("members/README.md"),
    &[("members.yaml", include_str!("members/members.yaml")), ("answers.yaml", include_str!("members/answers.yaml"))],
);

#[test]
fn it_conforms() {
    Conformance::<Members>::new(&KIND).run();
}

#[test]
fn an_answer_that_it_does_not_name_is_not_shown_to_it() {
    let harness = Harness::<Members>::setup().declared(serde_json::json!({ "answer": ["id"] })).yaml("max_bytes: 1KiB");
    let mut run = harness.request("GET", "/").run().next();
    let (head, body) = run.answer_with(200, &[("content-type", "application/json; charset=utf-8")], r#"{"id":7}"#);
    assert!(head.get(&CHECKED).is_some() && !body.is_replaced());
    let mut text = ResponseHead::build(200).expect("legal");
    text.set(HeaderName::from_static("content-type"), HeaderValue::from_static("text/plain"));
    assert!(!run.reads(&text) && !run.reads(&ResponseHead::build(404).expect("legal")));
}
