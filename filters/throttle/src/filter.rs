//! What runs.

use std::{borrow::Cow, sync::Arc};

use arrayvec::ArrayVec;
use http::header::RETRY_AFTER;
use tollgate_filter_api::{
    AllCredentials, Answer, Cause, CauseKind, Clock, Cx, DoneCx, Env, Fault, Filter, Flow, HeaderValue, MetricDoc, Moment, Peer, Posture,
    Problem, Reason, ResponseCx, Rule, Shown, View, Views,
};
use tollgate_throttling::{InProgress, SAMPLE, Throttling, moment};

use crate::{
    blocks::Blocks,
    config::{Config, Declaration, Local},
    decided::Decided,
    fields::{Fields, Told},
    limits::{
        Limit, MOST, limits,
        part::{Seen, network},
        policies::{Named, Policies},
    },
    open::Open,
    reasons::{self, SHIELD},
    slices::Wanted,
    traffic::{self, Traffic},
};

/// The `throttle` filter.
pub struct Throttle {
    blocks: Blocks,
    shield: Option<u32>,
    limits: Vec<Limit>,
    fields: Fields,
    counters: View<Arc<Throttling>>,
    clock: Arc<dyn Clock>,
    traffic: Option<Traffic>,
}

/// What belongs to one request.
#[derive(Default)]
pub struct State {
    /// What its client reads of the limits.
    told: Told,
    open: Open,
    in_progress: Option<InProgress>,
}

impl Filter for Throttle {
    const ID: &'static str = "throttle";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Unknown;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "throttle_over_total", help: "Requests that were over the limit of a policy, refused or not" },
        MetricDoc {
            name: "throttle_decided_total",
            help: "Requests that were over a limit of the traffic manager, by its level, refused or not",
        },
    ];
    type Config = Config;
    type Declared = Declaration;
    type Needs = (AllCredentials, Peer);
    type Gives = ();
    type State = State;

    fn is_idle(config: &Config, declared: &Declaration, env: &Env) -> bool {
        let has_tiers = config.tiers.application || config.tiers.subscription || config.tiers.unsubscribed.is_some();
        let has_limits = !config.limits.is_empty() || has_tiers || config.anonymous.is_some();
        let has_blocks = || !config.blocks.is_empty() || Throttling::of(env).is_ok_and(|throttling| throttling.blocks.can_change());
        let has_shield = config.shield.is_some();
        let is_decided = || config.traffic_manager.is_some() || traffic::offered(env).is_some();
        !has_limits && !has_shield && !has_blocks() && !is_decided() && config.policies.is_empty() && declared.policy.is_none()
    }

    fn build(config: Config, declared: Declaration, env: &Env) -> Result<Self, Problem> {
        let traffic = Traffic::new(&config, &declared, env)?;
        let is_alone = config.traffic_manager.as_ref().is_some_and(|settings| settings.local == Local::Off);
        let limits = match is_alone {
            true => Vec::new(),
            false => limits(&config, &declared, &mut Policies::new(&config, env)?, traffic.is_some())?,
        };
        Ok(Self {
            blocks: Blocks::new(&config, env)?,
            shield: shield(&config)?,
            fields: Fields::new(config.headers, &limits),
            limits,
            counters: View::new("throttle.counters", Throttling::of(env)?),
            clock: env.clock.clone(),
            traffic,
        })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (credentials, peer) = cx.given;
        let seen = Seen { req: cx.req, call: cx.call, credentials, peer };
        if let Some(refusal) = self.blocks.refuse(seen, cx.views)? {
            return Ok(Flow::Stop(refusal));
        }
        if let Some(refusal) = self.crowded(seen, cx.views, &mut cx.state.in_progress)? {
            return Ok(Flow::Stop(refusal));
        }
        let event = self.traffic.as_ref().map(|traffic| (traffic, traffic.of(seen)));
        if let Some((traffic, event)) = &event
            && let Some(refusal) = traffic.refuse(event, cx.views)?
        {
            return Ok(Flow::Stop(refusal));
        }
        let asked = match self.asked(seen) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Flow::Stop(refusal)),
        };
        let mut wanted = Wanted::default();
        let open = &mut cx.state.open;
        let now = seen.call.moment();
        let mut decided = self.decide(&asked, (seen, now), cx.views, open, &mut wanted, false)?;
        if decided.waits {
            decided = self.wait(&asked, seen, cx.views, open, &mut wanted).await?;
        }
        decided.count(&asked);
        cx.views.effect(&self.counters, |throttling| note(throttling, &asked, &decided, seen));
        let told = self.fields.of(decided.heard(&asked));
        if decided.passes {
            cx.state.told = told;
            event.iter().for_each(|(traffic, event)| traffic.tell(event, cx.views));
            return Ok(Flow::Next(()));
        }
        Ok(Flow::Stop(told.on_answer(decided.answer(&asked, cx.call))))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.state.told.on_response(cx.resp);
        Ok(())
    }

    fn on_done(&self, cx: DoneCx<'_, Self>) {
        let bytes = cx.outcome.bytes_in.saturating_add(cx.outcome.bytes_out);
        cx.state.in_progress = None;
        cx.state.open.settle(|| moment(self.clock.moment()), bytes);
    }
}

/// A limit, and the policy that counts the request.
pub(crate) struct Asked<'a> {
    pub limit: &'a Limit,
    pub named: Cow<'a, Arc<Named>>,
}

/// The limits that a request meets.
pub(crate) type All<'a> = ArrayVec<Asked<'a>, MOST>;

/// The shield, when there is one.
fn shield(config: &Config) -> Result<Option<u32>, Problem> {
    match config.shield {
        Some(0) => Err(Problem::setting("/shield", "0 lets nothing pass; set at least 1, or block the callers instead")),
        most => Ok(most),
    }
}

/// Notes for the operator who uses most.
fn note(throttling: &Throttling, asked: &All<'_>, decided: &Decided, seen: Seen<'_>) {
    let is_sample = seen.call.request_id.value.is_multiple_of(u128::from(SAMPLE));
    for (Asked { limit, named }, said) in asked.iter().zip(&decided.said) {
        if said.is_over || (is_sample && decided.passes) {
            throttling.top.note(&named.name, &limit.shown(seen), said.is_over);
        }
    }
}

impl Throttle {
    /// The refusal of a client that has too many requests in progress.
    fn crowded(&self, seen: Seen<'_>, views: &mut Views, in_progress: &mut Option<InProgress>) -> Result<Option<Answer>, Fault> {
        let Some(most) = self.shield else { return Ok(None) };
        let enters = views.take(&self.counters, "requests of the client in progress", |throttling, takes| {
            let entered = throttling.shield.enter(&network(seen.call.client), most);
            let enters = entered.is_some();
            *in_progress = entered.filter(|_| takes);
            enters
        })?;
        let cause = || Cause::new(CauseKind::OverLimit, "number of requests at the same time", Rule::setting("/shield"));
        Ok((!enters).then(|| SHIELD.because(cause().wanted(Shown::Number(most.into()))).header(RETRY_AFTER, HeaderValue::from(1))))
    }

    /// The limits that a request meets, or its refusal when nobody knows which.
    fn asked<'a>(&'a self, seen: Seen<'a>) -> Result<All<'a>, Answer> {
        let mut asked = All::new();
        for limit in &self.limits {
            if let Some(named) = limit.policy(seen)? {
                asked.push(Asked { limit, named });
            }
        }
        Ok(asked)
    }

    /// Asks all limits at once. What is to be settled at the end is kept. With `gives_up`, a request that would wait for the store of shared
    /// quotas is decided without it.
    fn decide(
        &self,
        asked: &All<'_>,
        (seen, now): (Seen<'_>, Moment),
        views: &mut Views,
        open: &mut Open,
        wanted: &mut Wanted,
        gives_up: bool,
    ) -> Result<Decided, Fault> {
        let now = moment(now);
        views.take(&self.counters, "the limits of the operation", |throttling, takes| {
            let counters = &throttling.counters;
            let mut asks: ArrayVec<_, MOST> = asked.iter().map(|one| one.limit.ask(&one.named, counters, seen)).collect();
            let verdict = if takes { counters.decide(now, &mut asks) } else { counters.look(now, &mut asks) };
            if takes {
                wanted.send(throttling, &asks);
                if verdict.passes {
                    asked.iter().zip(&asks).for_each(|(one, ask)| open.keep(throttling, &one.named, ask));
                }
            }
            Decided::new(verdict, &asks, gives_up)
        })
    }

    /// Waits for slices of shared quotas, and decides when they have come or have not.
    async fn wait(
        &self,
        asked: &All<'_>,
        seen: Seen<'_>,
        views: &mut Views,
        open: &mut Open,
        wanted: &mut Wanted,
    ) -> Result<Decided, Fault> {
        let begun = self.clock.instant();
        loop {
            let mut answered = None;
            let now = self.clock.moment();
            views.effect(&self.counters, |throttling| answered = wanted.answered(throttling, now.instant - begun));
            // Who asked first may have been answered before this request began to wait.
            let decided = self.decide(asked, (seen, now), views, open, wanted, answered.is_none())?;
            if !decided.waits {
                return Ok(decided);
            }
            if let Some(answered) = answered {
                answered.await;
            }
        }
    }
}
