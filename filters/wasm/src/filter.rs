//! What runs.

use tollgate_filter_api::{
    AnswerCx, AnswerSet, AnswerUse, BodyUse, Call, ChunkCx, Counter, Cx, DoneCx, Env, Fault, Filter, Flow, LogLimiter, MetricDoc, Posture,
    Problem, Reason, RequestChunkCx, RequestHead, ResponseCx, Rewrites, UpstreamCx,
};

use crate::{
    calls::Calls,
    config::{BodyMode, Config},
    declared::Declared,
    faults,
    guests::{Guest, Stage},
    load,
    stream::Way,
};

/// The `wasm` filter.
#[derive(Debug)]
pub struct Wasm {
    pub(crate) stages: Vec<Stage>,
    pub(crate) calls: Calls,
    /// Answers whose bodies guests get.
    pub(crate) answers: AnswerSet,
    pub(crate) most_body: usize,
    pub(crate) env: Env,
    pub(crate) busy: Counter,
    pub(crate) broken: Counter,
    /// For lines about guests that break when their request is over.
    pub(crate) ends: LogLimiter,
}

/// The guests of a request.
#[derive(Debug, Default)]
pub struct Guests(pub(crate) Vec<Guest>);

impl Filter for Wasm {
    const ID: &'static str = "wasm";
    const REASONS: &'static [Reason] = faults::REASONS;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "wasm_busy_total", help: "Requests that found no free instance of a module" },
        MetricDoc { name: "wasm_broken_total", help: "Requests whose module trapped, took too long, or did what it may not" },
        MetricDoc { name: "wasm_guest_counter_total", help: "Counters of modules, each under its module's name and its own" },
        MetricDoc { name: "wasm_guest_gauge", help: "Gauges of modules" },
        MetricDoc { name: "wasm_guest_histogram_sum", help: "Sum of what modules recorded in histograms" },
        MetricDoc { name: "wasm_guest_histogram_count", help: "Number of values that modules recorded in histograms" },
    ];
    type Config = Config;
    type Declared = Declared;
    type Needs = ();
    type Gives = ();
    type State = Guests;

    fn is_idle(config: &Config, declared: &Declared, _: &Env) -> bool {
        config.module.is_none() && declared.interceptors.is_empty()
    }

    fn build(config: Config, declared: Declared, env: &Env) -> Result<Self, Problem> {
        config.judge()?;
        Ok(Self {
            stages: load::stages(&config, &declared, env)?,
            calls: Calls::new(&config.calls, env)?,
            answers: config.answer_set(),
            most_body: usize::try_from(config.limits.body.0).unwrap_or(usize::MAX),
            env: env.clone(),
            busy: env.metrics.counter("wasm_busy_total", None),
            broken: env.metrics.counter("wasm_broken_total", None),
            ends: LogLimiter::default(),
        })
    }

    fn request_body(&self) -> BodyUse {
        match self.stages.iter().map(|stage| stage.request_body).max() {
            Some(BodyMode::Whole) => BodyUse::Whole(self.most_body),
            Some(BodyMode::Stream) => BodyUse::Stream,
            Some(BodyMode::None) | None => BodyUse::None,
        }
    }

    fn wants_body(&self, _: &RequestHead, call: &Call) -> bool {
        call.has_body
    }

    fn rewrites(&self) -> Rewrites {
        let most = |mode: fn(&Stage) -> BodyMode| self.stages.iter().map(mode).max().unwrap_or_default();
        let answers = most(|stage| stage.response_body) == BodyMode::Stream;
        Rewrites {
            requests: most(|stage| stage.request_body) == BodyMode::Stream,
            answers: answers.then(|| self.answers.clone()),
            heads: false,
        }
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        let is_whole = self.stages.iter().any(|stage| stage.response_body == BodyMode::Whole);
        is_whole.then(|| AnswerUse { limit: self.most_body, answers: self.answers.clone() })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        self.run_request(cx).await
    }

    fn on_upstream(&self, cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        if cx.state.0.iter().any(|guest| guest.request.began) {
            let why = "the request would be sent once more, and a module that gets its body piece by piece has had some of it";
            return Err(Fault::new("wasm.again", why));
        }
        Ok(())
    }

    fn on_request_chunk(&self, cx: RequestChunkCx<'_, Self>) -> Result<(), Fault> {
        self.piece(&mut cx.state.0, Way::Request, cx.body, cx.end)
    }

    async fn on_answer(&self, cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        self.run_answer(cx).await
    }

    fn on_response(&self, mut cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        self.run_response(&mut cx)
    }

    fn on_chunk(&self, cx: ChunkCx<'_, Self>) -> Result<(), Fault> {
        self.piece(&mut cx.state.0, Way::Answer, cx.body, cx.end)
    }

    fn on_done(&self, cx: DoneCx<'_, Self>) {
        self.end(&mut cx.state.0, cx.outcome.status);
    }
}
