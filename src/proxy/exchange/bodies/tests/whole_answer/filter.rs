//! A filter that judges answers by what stands in them, and tells how requests ended.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{
    AnswerCx, AnswerSet, AnswerUse, BodyUse, Cause, CauseKind, ChunkCx, Cx, DoneCx, Env, Fault, Filter, Flow, Kind, Outcome, Problem,
    Reason, RequestChunkCx, ResponseCx, Rewrites, Rule,
};

pub static KINDS: [Kind; 1] = [Kind::of::<Reader>("", &[])];

static BAD: Reason = Reason::refused("reader.bad", 502, 0, "The answer is bad", "It has `bad` in it.");
const SEEN: HeaderName = HeaderName::from_static("x-seen");
const AFTER: HeaderName = HeaderName::from_static("x-after");

/// How requests ended, by what they called themselves in their query.
static ENDED: LazyLock<Mutex<HashMap<String, Vec<Outcome>>>> = LazyLock::new(Mutex::default);

/// How the one request of that name ended.
pub fn ended(name: &str) -> Outcome {
    let begun = Instant::now();
    loop {
        if let Some([outcome]) = ENDED.lock().unwrap().get(name).map(Vec::as_slice) {
            return *outcome;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "`{name}` has not ended, or more than once");
        std::thread::yield_now();
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    limit: usize,
    #[serde(default)]
    statuses: Vec<u16>,
    #[serde(default)]
    media_types: Vec<String>,
    #[serde(default)]
    request_body: Option<usize>,
    /// Doubles bodies while they stream instead, and adds an end.
    #[serde(default)]
    doubles: bool,
}

/// Refuses answers with `bad` in them; those that begin with `become 12`, `status 404` or `fault` become that. Sets `X-Seen` to the
/// length of the body it judged, and `X-After` when it comes past a head.
pub struct Reader(Settings);

impl Filter for Reader {
    const ID: &'static str = "reader";
    const REASONS: &'static [Reason] = &[Reason::refused("reader.bad", 502, 0, "The answer is bad", "It has `bad` in it.")];
    type Config = Settings;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    /// What the request calls itself, and whether its answer is changed while it streams.
    type State = (String, bool);

    fn build(settings: Settings, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self(settings))
    }

    fn rewrites(&self) -> Rewrites {
        let Settings { statuses, media_types, doubles, .. } = &self.0;
        let answers = AnswerSet { statuses: statuses.clone(), media_types: media_types.clone() };
        Rewrites { requests: *doubles, answers: doubles.then_some(answers), heads: false }
    }

    fn request_body(&self) -> BodyUse {
        if self.0.doubles {
            return BodyUse::Stream;
        }
        self.0.request_body.map_or(BodyUse::None, BodyUse::Whole)
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        if self.0.doubles {
            return None;
        }
        let Settings { limit, statuses, media_types, .. } = &self.0;
        Some(AnswerUse { limit: *limit, answers: AnswerSet { statuses: statuses.clone(), media_types: media_types.clone() } })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<()>, Fault> {
        cx.state.0 = cx.req.query().unwrap_or_default().to_owned();
        if let Some(body) = cx.body.filter(|body| body.starts_with(b"replace")) {
            body.replace("replaced");
        }
        Ok(Flow::Next(()))
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        assert!(cx.head.get(&AFTER).is_none(), "on_response ran before on_answer");
        cx.head.set(SEEN, HeaderValue::from(cx.body.len()));
        let text = String::from_utf8_lossy(cx.body).into_owned();
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("become", size) => cx.body.replace(vec![b'x'; size.parse().unwrap()]),
            ("status", status) => cx.head.set_status(status.parse().unwrap()).unwrap(),
            ("fault", _) => return Err(Fault::new("reader.fault", "told to")),
            _ if text.contains("bad") => {
                return Ok(Flow::Stop(BAD.because(Cause::new(CauseKind::Malformed, "body", Rule::Fixed("a test")))));
            }
            _ => {}
        }
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        let status = StatusCode::from_u16(cx.resp.status()).unwrap();
        cx.state.1 = cx.is_upstreams && self.rewrites().answers.is_some_and(|answers| answers.covers(status, None));
        cx.resp.set(AFTER, HeaderValue::from_static("yes"));
        Ok(())
    }

    fn on_request_chunk(&self, cx: RequestChunkCx<'_, Self>) -> Result<(), Fault> {
        if self.0.doubles {
            doubled(cx.body, cx.end);
        }
        Ok(())
    }

    fn on_chunk(&self, cx: ChunkCx<'_, Self>) -> Result<(), Fault> {
        if cx.state.1 {
            doubled(cx.body, cx.end);
        }
        Ok(())
    }

    fn on_done(&self, cx: DoneCx<'_, Self>) {
        ENDED.lock().unwrap().entry(std::mem::take(&mut cx.state.0)).or_default().push(cx.outcome);
    }
}

/// Every piece twice, and an end.
fn doubled(body: &mut Option<Bytes>, end: bool) {
    let mut out = body.take().map_or_else(Vec::new, |piece| piece.repeat(2));
    if end {
        out.extend_from_slice(b"END");
    }
    *body = (!out.is_empty()).then(|| out.into());
}
