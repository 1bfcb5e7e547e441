//! What runs. The request is changed before later filters see it; the response on its way out.

use tollgate_changes::{
    facts::{Caller, LONGEST, Seen},
    heads::{Rendered, Rules},
};
use tollgate_filter_api::{
    Answer, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Peer, Posture, Principal, Problem, Reason, ResponseCx, Rule, Shown,
};

use crate::Config;

const TOO_LONG: Reason = Reason::refused(
    "headers.value_too_long",
    431,
    0,
    "A value of the credential is too long to be passed on in a header",
    "A fact that the settings copy into a header has more than 4096 bytes once it is escaped. Copy a shorter one, or \
     have the issuer leave it out.",
);

/// The `headers` filter.
#[derive(Debug)]
pub struct Headers {
    request: Rules,
    response: Rules,
}

/// Values for the way back that say something of the request; it is not known there.
#[derive(Debug, Default)]
pub struct State(Option<Rendered>);

impl Filter for Headers {
    const ID: &'static str = "headers";
    const REASONS: &'static [Reason] = &[TOO_LONG];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = (Principal, Peer);
    type Gives = ();
    type State = State;

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        config.request.is_empty() && config.response.is_empty()
    }

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        Ok(Self { request: Rules::parse(&config.request, "request")?, response: Rules::parse(&config.response, "response")? })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (principal, peer) = cx.given;
        let seen = Seen { call: cx.call, head: Some(cx.req), caller: Some(Caller { principal, peer }) };
        let Ok(rendered) = self.request.render(&seen) else {
            return Ok(Flow::Stop(too_long("/request")));
        };
        if self.response.needs_request() {
            let Ok(back) = self.response.render(&seen) else {
                return Ok(Flow::Stop(too_long("/response")));
            };
            cx.state.0 = Some(back);
        }
        self.request.apply(cx.req, rendered);
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        let rendered = match &cx.state.0 {
            Some(rendered) => rendered.clone(),
            None => self
                .response
                .render(&Seen { call: cx.call, head: None, caller: None })
                .map_err(|_| Fault::new("headers.value_too_long", "a response header"))?,
        };
        self.response.apply(cx.resp, rendered);
        Ok(())
    }
}

fn too_long(changes: &'static str) -> Answer {
    let cause = Cause::new(CauseKind::OverLimit, "value of a header with a fact of the credential", Rule::setting(changes));
    TOO_LONG.because(cause.wanted(Shown::Bytes(LONGEST as u64)))
}
