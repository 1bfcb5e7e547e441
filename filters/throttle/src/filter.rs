//! What runs.

use std::sync::Arc;

use tollgate_counters::Ask;
use tollgate_filter_api::{
    AllCredentials, Answer, Clock, Cx, DoneCx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Problem,
    Reason, ResponseCx, View, Views,
};
use tollgate_throttling::{Throttling, moment};

use crate::{
    blocks::Blocks,
    config::{Config, Declaration, Headers},
    decided::Decided,
    fields,
    limits::{Limit, limits},
    open::Open,
    part::Seen,
    policies::{Named, Policies},
    reasons,
};

/// The `throttle` filter.
pub struct Throttle {
    blocks: Blocks,
    limits: Vec<Limit>,
    headers: Headers,
    counters: View<Arc<Throttling>>,
    clock: Arc<dyn Clock>,
}

/// What belongs to one request.
#[derive(Default)]
pub struct State {
    /// What its client reads of the limits.
    fields: Vec<(HeaderName, HeaderValue)>,
    open: Open,
}

impl Filter for Throttle {
    const ID: &'static str = "throttle";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Unknown;
    const METRICS: &'static [MetricDoc] =
        &[MetricDoc { name: "throttle_over_total", help: "Requests that were over the limit of a policy, refused or not" }];
    type Config = Config;
    type Declared = Declaration;
    type Needs = (AllCredentials, Peer);
    type Gives = ();
    type State = State;

    fn is_idle(config: &Config, declared: &Declaration, env: &Env) -> bool {
        let has_tiers = config.tiers.application || config.tiers.subscription || config.tiers.unsubscribed.is_some();
        let has_limits = !config.limits.is_empty() || has_tiers || config.anonymous.is_some();
        let has_blocks = || !config.blocks.is_empty() || Throttling::of(env).is_ok_and(|throttling| throttling.blocks.can_change());
        !has_limits && !has_blocks() && config.policies.is_empty() && declared.policy.is_none()
    }

    fn build(config: Config, declared: Declaration, env: &Env) -> Result<Self, Problem> {
        let counters = View::new("throttle.counters", Throttling::of(env)?);
        let limits = limits(&config, &declared, &mut Policies::new(&config, env)?)?;
        Ok(Self { blocks: Blocks::new(&config, env)?, limits, headers: config.headers, counters, clock: env.clock.clone() })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (credentials, peer) = cx.given;
        let seen = Seen { req: cx.req, call: cx.call, credentials, peer };
        if let Some(refusal) = self.blocks.refuse(seen, cx.views)? {
            return Ok(Flow::Stop(refusal));
        }
        let asked: Vec<Asked<'_>> = match self.limits.iter().filter_map(|limit| Asked::of(limit, seen)).collect() {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Flow::Stop(refusal)),
        };
        let decided = self.decide(&asked, seen, cx.views, &mut cx.state.open)?;
        let heard = || asked.iter().zip(&decided.said).map(|(asked, said)| said.of(asked.named));
        heard().filter(|heard| heard.is_over).for_each(|heard| heard.named.over.inc());
        let mut fields = Vec::with_capacity(2);
        if self.headers.ratelimit {
            fields.extend(fields::policies(heard()).map(|value| (fields::POLICY.clone(), value)));
            fields.extend(fields::left(heard()).map(|value| (fields::LIMIT.clone(), value)));
        }
        if self.headers.x_ratelimit {
            fields.extend(fields::older(heard()).into_iter().flatten());
        }
        if decided.passes {
            cx.state.fields = fields;
            return Ok(Flow::Next(()));
        }
        let answer = decided.answer(&asked, cx.call);
        Ok(Flow::Stop(fields.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.state.fields.iter().for_each(|(name, value)| cx.resp.set(name.clone(), value.clone()));
        Ok(())
    }

    fn on_done(&self, cx: DoneCx<'_, Self>) {
        let bytes = cx.outcome.bytes_in.saturating_add(cx.outcome.bytes_out);
        cx.state.open.settle(|| moment(self.clock.moment()), bytes);
    }
}

/// A limit, and the policy that counts the request.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub limit: &'a Limit,
    pub named: &'a Arc<Named>,
}

impl<'a> Asked<'a> {
    fn of(limit: &'a Limit, seen: Seen<'_>) -> Option<Result<Self, Answer>> {
        let named = limit.policy(seen).transpose()?;
        Some(named.map(|named| Self { limit, named }))
    }
}

impl Throttle {
    /// Asks all limits at once. What is to be settled at the end is kept.
    fn decide(&self, asked: &[Asked<'_>], seen: Seen<'_>, views: &mut Views, open: &mut Open) -> Result<Decided, Fault> {
        let now = moment(seen.call.moment());
        let decided = views.take(&self.counters, "the limits of the operation", |shared, takes| {
            let mut asks: Vec<Ask<'_>> = asked.iter().map(|one| one.limit.ask(one.named, &shared.counters, seen)).collect();
            let verdict = if takes { shared.counters.decide(now, &mut asks) } else { shared.counters.look(now, &mut asks) };
            if takes && verdict.passes {
                asked.iter().zip(&asks).for_each(|(one, ask)| open.keep(shared, one.named, ask));
            }
            Decided::new(verdict, &asks)
        })?;
        Ok(decided)
    }
}
