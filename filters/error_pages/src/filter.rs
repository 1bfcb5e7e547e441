//! What runs.

use http::{HeaderName, HeaderValue, header};
use tollgate_filter_api::{AnswerCx, AnswerSet, AnswerUse, Cx, Env, Fault, Filter, Flow, Page, PageCx, Posture, Problem, Reason};

use crate::{
    Config,
    pages::Pages,
    text::{Seen, status_text},
};

/// Longest body of the upstream that is thrown away for a page. A longer one would be a refusal, so it is more than refusals have.
const LONGEST: usize = 1 << 20;
/// What the upstream's head says of its own body. Digests, encoding and entity tag go with every body that is replaced.
const OF_BODY: [HeaderName; 5] = [
    header::CONTENT_DISPOSITION,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_SECURITY_POLICY,
    header::LAST_MODIFIED,
];

/// The `error_pages` filter.
#[derive(Debug)]
pub struct ErrorPages {
    pages: Pages,
    upstream: bool,
}

/// What the client accepts, kept for the upstream's answer.
#[derive(Debug, Default)]
pub struct State(Vec<HeaderValue>);

impl Filter for ErrorPages {
    const ID: &'static str = "error_pages";
    const REASONS: &'static [Reason] = &[];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = State;

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        config.pages.is_empty()
    }

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        Ok(Self { pages: Pages::parse(&config, env)?, upstream: config.upstream })
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        let answers = || AnswerSet { statuses: self.pages.statuses(), media_types: Vec::new() };
        self.upstream.then(|| AnswerUse { limit: LONGEST, answers: answers() })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if self.upstream {
            cx.state.0 = cx.req.get_all(&header::ACCEPT).cloned().collect();
        }
        Ok(Flow::Next(()))
    }

    fn page(&self, cx: PageCx<'_, Self>) -> Option<Page> {
        let seen = Seen { status: cx.status, reason: cx.reason.id, title: cx.reason.title, request_id: cx.call.request_id };
        let accept: Vec<&[u8]> = cx.req.get_all(&header::ACCEPT).map(HeaderValue::as_bytes).collect();
        self.pages.find(&seen, accept.iter().copied())
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        let status = cx.head.status();
        let seen = Seen { status, reason: "upstream", title: status_text(status), request_id: cx.call.request_id };
        if let Some(page) = self.pages.find(&seen, cx.state.0.iter().map(HeaderValue::as_bytes)) {
            OF_BODY.iter().for_each(|name| cx.head.remove(name));
            cx.head.set(header::CONTENT_TYPE, page.content_type);
            cx.body.replace(page.body);
        }
        Ok(Flow::Next(()))
    }
}
