//! Which answers filters read, and in which order.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate_filter_api::{
    AnswerCx, AnswerHead, AnswerSet, AnswerUse, Body, Cx, Env, Fault, Filter, Flow, Kind, NoCertificate, Peer, Problem, Reason,
    RequestHead, Views,
};

use super::{env, filters::because, running::call};
use crate::chain::{Chain, Run, answers::covers, origins::Lines};

static NO: Reason = Reason::refused("reader.no", 502, 0, "No", "Told to.");
const SEEN: HeaderName = HeaderName::from_static("x-seen");

/// Leaves its name, and does what its settings say.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Reader {
    name: String,
    limit: usize,
    status: Option<u16>,
    replace: Option<String>,
    refuse: bool,
    passes: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { name: String::new(), limit: 9, status: None, replace: None, refuse: false, passes: true }
    }
}

impl Filter for Reader {
    const ID: &'static str = "reader";
    type Config = Self;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn build(settings: Self, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(settings)
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        Some(AnswerUse { limit: self.limit, answers: AnswerSet { statuses: vec![2], media_types: Vec::new() } })
    }

    async fn on_request(&self, _: Cx<'_, Self>) -> Result<Flow, Fault> {
        Ok(if self.passes { Flow::Next(()) } else { Flow::Stop(because(&NO, "no")) })
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        cx.head.append(SEEN, HeaderValue::from_str(&self.name).unwrap());
        self.status.into_iter().for_each(|status| cx.head.set_status(status).unwrap());
        self.replace.iter().for_each(|text| cx.body.replace(text.clone()));
        Ok(if self.refuse { Flow::Stop(because(&NO, "no")) } else { Flow::Next(()) })
    }
}

/// What becomes of an answer of 200 behind filters with these settings: the names of those that saw it, and its status or why there is
/// none.
async fn judged(settings: &[Value]) -> (String, String) {
    let mut chain = Chain::default();
    for settings in settings {
        chain.push((Kind::of::<Reader>("", &[]).build)(settings, &Value::Null, &env()).unwrap().unwrap(), Lines::default(), false);
    }
    let mut run = Run::new(&chain, Peer::Anonymous(NoCertificate::Plain), Views::serving());
    run.request(&chain, &mut RequestHead::build("GET", "/").unwrap(), &call(), None).await;
    let (mut head, mut body) = (AnswerHead::build(200).unwrap(), Body::from(Bytes::from_static(b"{}")));
    let outcome = match run.answer(&chain, &mut head, &mut body, &call()).await {
        Ok(None) => head.status().to_string(),
        Ok(Some(answer)) => {
            assert!(run.explain(&chain, answer.cause(), &|_| None).is_some(), "which filter refused it is known");
            answer.reason().id.to_owned()
        }
        Err(fault) => fault.id.to_owned(),
    };
    let seen: Vec<_> = head.get_all(&SEEN).map(|value| value.to_str().unwrap()).collect();
    (seen.join(" "), outcome)
}

#[tokio::test]
async fn filters_judge_an_answer_in_reverse_order_as_the_one_before_left_it() {
    let case = |seen: &str, outcome: &str| (seen.to_owned(), outcome.to_owned());
    let (a, b) = (json!({ "name": "a" }), json!({ "name": "b" }));
    assert_eq!(judged(&[a.clone(), b.clone()]).await, case("b a", "200"));
    assert_eq!(judged(&[a.clone(), json!({ "name": "b", "status": 404 })]).await, case("b", "404"));
    assert_eq!(judged(&[a.clone(), json!({ "name": "b", "refuse": true })]).await, case("b", "reader.no"));
    assert_eq!(judged(&[a.clone(), json!({ "name": "b", "replace": "0123456789" })]).await, case("b", "chain.answer_bytes"));
    // Who did not let the request pass has no say.
    assert_eq!(judged(&[a, json!({ "name": "b", "passes": false })]).await, case("a", "200"));
}

#[test]
fn the_least_limit_of_those_that_read_an_answer_holds() {
    let mut chain = Chain::default();
    for limit in [70, 50, 60] {
        chain.push(
            (Kind::of::<Reader>("", &[]).build)(&json!({ "limit": limit }), &Value::Null, &env()).unwrap().unwrap(),
            Lines::default(),
            false,
        );
    }
    let mut run = Run::new(&chain, Peer::Anonymous(NoCertificate::Plain), Views::serving());
    assert!(!run.reads_answers(&chain));
    run.ran = vec![0, 2];
    assert!(run.reads_answers(&chain) && !run.reads_all_answers(&chain));
    assert_eq!(run.covers(&chain, StatusCode::OK, &HeaderMap::new()).map(|covered| covered.limit), Some(60));
    assert!(run.covers(&chain, StatusCode::NOT_FOUND, &HeaderMap::new()).is_none());
}

fn fields(types: &[&'static str]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for one in types {
        fields.append(header::CONTENT_TYPE, HeaderValue::from_static(one));
    }
    fields
}

fn json() -> AnswerSet {
    AnswerSet { statuses: vec![2, 404], media_types: vec!["application/json".into()] }
}

#[test]
fn an_answer_is_covered_by_status_and_media_type() {
    let covers = |status: u16, types: &[&'static str]| covers(&json(), StatusCode::from_u16(status).unwrap(), &fields(types));
    assert!(covers(200, &["application/json"]) && covers(299, &["Application/JSON; charset=utf-8"]) && covers(404, &["application/json"]));
    assert!(!covers(500, &["application/json"]) && !covers(400, &["application/json"]) && !covers(200, &["text/plain"]));
}

#[test]
fn what_may_be_taken_for_a_named_type_is_covered() {
    let covers = |types: &[&'static str]| covers(&json(), StatusCode::OK, &fields(types));
    for types in [&[][..], &["text/plain", "application/json"], &["text/plain, application/json"], &["json"], &[""], &["text/"]] {
        assert!(covers(types), "{types:?}");
    }
}

#[test]
fn what_has_no_end_or_no_body_cannot_be_asked_for() {
    let with = |statuses: &[u16], types: &[&str]| {
        let media_types = types.iter().map(|one| (*one).to_owned()).collect();
        AnswerSet { statuses: statuses.to_vec(), media_types }.fault()
    };
    assert_eq!(with(&[2, 4, 200, 599], &["application/json", "application/grpcx"]), None);
    for statuses in [&[1][..], &[101], &[6], &[0], &[600]] {
        assert!(with(statuses, &[]).is_some_and(|fault| fault.contains("status")), "{statuses:?}");
    }
    for one in ["text/event-stream", "Text/Event-Stream", "application/grpc", "application/grpc+proto", "application/grpc-web+json"] {
        assert!(with(&[], &[one]).is_some_and(|fault| fault.contains("no end")), "{one}");
    }
}
