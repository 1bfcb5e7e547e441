//! What runs: chooses a coding, and codes.

use std::sync::Mutex;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tollgate_filter_api::{
    AnswerSet, ChunkCx, Counter, Cx, Env, Fault, Filter, Flow, MetricDoc, Posture, Problem, RequestHead, ResponseCx, ResponseHead, Rewrites,
};

use crate::{Config, accept, coder::Coder, config::Coding};

/// The `compress` filter.
pub struct Compress {
    codings: Vec<Coding>,
    /// By media type; the status is judged besides.
    answers: AnswerSet,
    min_bytes: u64,
    compressed: Counter,
}

/// How far the answer to a request has come.
#[derive(Default)]
pub struct State {
    /// What the client would take.
    accepted: Option<Coding>,
    /// The request is one whose answer has a body.
    has_body: bool,
    /// What the body is coded by. Nobody waits for the lock: it makes what codes fit for many threads.
    coder: Mutex<Option<Coder>>,
}

impl Filter for Compress {
    const ID: &'static str = "compress";
    const BY_DEFAULT: bool = false;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] =
        &[MetricDoc { name: "compress_answers_total", help: "Answers that went out compressed by the gateway" }];
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = State;

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        if config.codings.is_empty() {
            return Err(Problem::setting("/codings", "no coding is offered").hint("leave `codings` out for all of them"));
        }
        for (index, range) in config.types.iter().enumerate() {
            if !range.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty()) {
                let problem = Problem::setting(format!("/types/{index}"), format!("{range:?} is not a media type"));
                return Err(problem.hint("write `text/html`, `text/*` or `application/*+json`"));
            }
        }
        Ok(Self {
            codings: config.codings,
            answers: AnswerSet { statuses: Vec::new(), media_types: config.types },
            min_bytes: config.min_bytes.0,
            compressed: env.metrics.counter("compress_answers_total", None),
        })
    }

    fn rewrites(&self) -> Rewrites {
        Rewrites { heads: true, ..Rewrites::default() }
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        cx.state.has_body = *cx.req.method() != http::Method::HEAD;
        cx.state.accepted = self.best(cx.req);
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        // An answer of the gateway's own is short, and its body does not stream.
        if !cx.is_upstreams || !self.is_worth_it(cx.resp) {
            return Ok(());
        }
        cx.resp.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        let Some(coding) = cx.state.accepted.filter(|_| cx.state.has_body) else { return Ok(()) };
        let coder = Coder::new(coding).map_err(|_| Fault::new("compress.memory", "there is no memory for the coding"))?;
        cx.resp.reframe();
        cx.resp.set(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        cx.state.coder = Mutex::new(Some(coder));
        self.compressed.inc();
        Ok(())
    }

    fn on_chunk(&self, cx: ChunkCx<'_, Self>) -> Result<(), Fault> {
        let failed = |_| Fault::new("compress.memory", "there is no memory for the coding");
        let Ok(coder) = cx.state.coder.get_mut() else { return Ok(()) };
        let piece = cx.body.take();
        let bytes = piece.as_deref().unwrap_or_default();
        *cx.body = match (coder.take(), cx.end) {
            (None, _) => piece,
            (Some(running), true) => Some(running.end(bytes).map_err(failed)?),
            (Some(mut running), false) => {
                let coded = if bytes.is_empty() { Bytes::new() } else { running.piece(bytes).map_err(failed)? };
                *coder = Some(running);
                Some(coded)
            }
        };
        Ok(())
    }
}

impl Compress {
    fn best(&self, req: &RequestHead) -> Option<Coding> {
        accept::best(req, &self.codings)
    }

    /// Whether an answer would gain by it, and nothing speaks against it.
    fn is_worth_it(&self, resp: &ResponseHead) -> bool {
        let text = |name| resp.get(name).and_then(|value| value.to_str().ok());
        let status = resp.status();
        let has_body = (200..600).contains(&status) && !matches!(status, 204 | 205 | 206 | 304);
        let types: Vec<_> = resp.get_all(&header::CONTENT_TYPE).collect();
        let [media_type] = types.as_slice() else { return false };
        let is_coded = resp.get_all(&header::CONTENT_ENCODING).any(|coding| coding != "identity");
        let is_short =
            text(&header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length < self.min_bytes);
        let forbids = |value: &HeaderValue| {
            let text = value.to_str().unwrap_or("no-transform").to_ascii_lowercase();
            text.split(',').map(str::trim).any(|word| matches!(word, "no-transform" | "no-store"))
        };
        has_body
            && !is_coded
            && !is_short
            && self.is_listed(status, media_type)
            && !resp.get_all(&header::CACHE_CONTROL).any(forbids)
            && resp.get(&header::CONTENT_RANGE).is_none()
            && resp.get(&header::SET_COOKIE).is_none()
    }

    fn is_listed(&self, status: u16, media_type: &HeaderValue) -> bool {
        let Ok(text) = media_type.to_str() else { return false };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let endless = tollgate_filter_api::essence(text).is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"));
        // Ranges leave out what does not end, which is nothing to be afraid of here.
        let listed = |range: &String| range == "text/*" || range == "text/event-stream" || range == "*/*";
        self.answers.covers(status, Some(text)) || (endless && self.answers.media_types.iter().any(listed))
    }
}
