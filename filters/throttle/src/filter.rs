//! What runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::UNIX_EPOCH,
};

use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use tollgate_counters::{self as counters, Ask, Counters};
use tollgate_filter_api::{
    AllCredentials, Answer, Call, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Gauge, HeaderName, HeaderValue, MetricDoc, Peer, Posture,
    Problem, Reason, ResponseCx, Rule, Shown, View, Views,
};

use crate::{
    config::{Config, Declaration, Headers},
    fields::{self, Heard},
    limits::{Limit, MOST, limits},
    part::Seen,
    policies::{Named, Policies},
    reasons::{self, FULL},
};

/// Problem types of draft-ietf-httpapi-ratelimit-headers-11, §5: the quota is used up, and the gateway can do less than usual.
const EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// The `throttle` filter.
pub struct Throttle {
    limits: Vec<Limit>,
    headers: Headers,
    counters: View<Arc<Shared>>,
}

/// The counters of the process.
struct Shared {
    counters: Counters,
    /// The second of the last tick.
    ticked: AtomicU64,
    keys: Gauge,
}

impl Filter for Throttle {
    const ID: &'static str = "throttle";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Unknown;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "throttle_over_total", help: "Requests that were over the limit of a policy, refused or not" },
        MetricDoc { name: "throttle_keys", help: "Counters in use" },
    ];
    type Config = Config;
    type Declared = Declaration;
    type Needs = (AllCredentials, Peer);
    type Gives = ();
    type State = Vec<(HeaderName, HeaderValue)>;

    fn is_idle(config: &Config, declared: &Declaration) -> bool {
        let has_tiers = config.tiers.application || config.tiers.subscription || config.tiers.unsubscribed.is_some();
        let has_limits = !config.limits.is_empty() || has_tiers || config.anonymous.is_some();
        !has_limits && config.policies.is_empty() && declared.policy.is_none()
    }

    fn build(config: Config, declared: Declaration, env: &Env) -> Result<Self, Problem> {
        if config.max_keys == 0 {
            return Err(
                Problem::setting("/max_keys", "without a counter nothing could be counted").hint("leave it out: 10 million is the default")
            );
        }
        let made = || {
            let counters = Counters::new(moment(env.clock.moment()), config.max_keys);
            Ok(Shared { counters, ticked: AtomicU64::new(0), keys: env.metrics.gauge("throttle_keys", None) })
        };
        let counters = View::new("throttle.counters", env.shared.get_or_make(&format!("throttle.counters {}", config.max_keys), made)?);
        let limits = limits(&config, &declared, &mut Policies::new(&config, env)?)?;
        Ok(Self { limits, headers: config.headers, counters })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let (credentials, peer) = cx.given;
        let seen = Seen { req: cx.req, call: cx.call, credentials, peer };
        let asked: Vec<Asked<'_>> = match self.limits.iter().filter_map(|limit| Asked::of(limit, seen)).collect() {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Flow::Stop(refusal)),
        };
        let decided = self.decide(&asked, seen, cx.views)?;
        let heard = || asked.iter().zip(&decided.said).map(|(asked, said)| said.of(asked.named));
        heard().filter(|heard| heard.is_over).for_each(|heard| heard.named.over.inc());
        let mut fields = Vec::new();
        if self.headers.ratelimit {
            fields.extend(fields::policies(heard()).map(|value| (fields::POLICY.clone(), value)));
            fields.extend(fields::left(heard()).map(|value| (fields::LIMIT.clone(), value)));
        }
        if self.headers.x_ratelimit {
            fields.extend(fields::older(heard()).into_iter().flatten());
        }
        if decided.passes {
            *cx.state = fields;
            return Ok(Flow::Next(()));
        }
        let answer = decided.answer(&asked, cx.call);
        Ok(Flow::Stop(fields.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        cx.state.iter().for_each(|(name, value)| cx.resp.set(name.clone(), value.clone()));
        Ok(())
    }
}

/// A limit, and the policy that counts the request.
#[derive(Clone, Copy)]
struct Asked<'a> {
    limit: &'a Limit,
    named: &'a Named,
}

impl<'a> Asked<'a> {
    fn of(limit: &'a Limit, seen: Seen<'_>) -> Option<Result<Self, Answer>> {
        let named = limit.policy(seen).transpose()?;
        Some(named.map(|named| Self { limit, named }))
    }
}

impl Throttle {
    /// Asks all limits at once.
    fn decide(&self, asked: &[Asked<'_>], seen: Seen<'_>, views: &mut Views) -> Result<Decided, Fault> {
        let now = moment(seen.call.moment());
        let decided = views.take(&self.counters, "the limits of the operation", |shared, takes| {
            let mut asks: Vec<Ask<'_>> = asked.iter().map(|one| one.limit.ask(one.named, &shared.counters, seen)).collect();
            let verdict = if takes { shared.counters.decide(now, &mut asks) } else { shared.counters.look(now, &mut asks) };
            Decided::new(verdict, &asks)
        })?;
        views.effect(&self.counters, |shared| shared.tick(now));
        Ok(decided)
    }
}

impl Shared {
    /// Once a second, by the first request in it, lets go of counters whose time is over.
    fn tick(&self, now: counters::Moment) {
        let second = now.wall.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let last = self.ticked.load(Relaxed);
        if last != second && self.ticked.compare_exchange(last, second, Relaxed, Relaxed).is_ok() {
            self.counters.tick(now);
            self.keys.set(i64::try_from(self.counters.keys()).unwrap_or(i64::MAX));
        }
    }
}

/// What the limits came to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Decided {
    passes: bool,
    full: bool,
    retry_after: u64,
    said: [Said; MOST],
}

/// What one limit said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Said {
    is_over: bool,
    remaining: u64,
    reset: u64,
}

impl Said {
    fn of(self, named: &Named) -> Heard<'_> {
        Heard { named, remaining: self.remaining, reset: self.reset, is_over: self.is_over }
    }
}

impl Decided {
    fn new(verdict: counters::Verdict, asks: &[Ask<'_>]) -> Self {
        let mut said = [Said::default(); MOST];
        for (place, ask) in said.iter_mut().zip(asks) {
            *place = Said { is_over: !ask.told.accepted, remaining: ask.told.remaining, reset: ask.told.reset };
        }
        Self { passes: verdict.passes, full: verdict.full, retry_after: verdict.retry_after, said }
    }

    /// The refusal, of the first limit that refuses.
    fn answer(&self, asked: &[Asked<'_>], call: &Call) -> Answer {
        // Who waited for the same edge does not come back in the same second.
        let spread = u64::try_from(call.request_id.value % u128::from(self.retry_after / 10 + 1)).unwrap_or_default();
        let retry_after = HeaderValue::from(self.retry_after + spread);
        let refused = asked.iter().zip(&self.said).find(|(asked, said)| said.is_over && asked.named.stops);
        let answer = match refused {
            Some((asked, _)) if !self.full => asked.limit.reason.because(over(asked.limit, asked.named)),
            _ => FULL.because(Cause::new(CauseKind::Unavailable, "counter", Rule::setting("/max_keys"))),
        };
        let over = asked.iter().zip(&self.said).filter(|(asked, said)| said.is_over && asked.named.stops);
        let violated: Vec<&str> = over.map(|(asked, _)| &*asked.named.name).collect();
        let kind = if self.full { REDUCED } else { EXCEEDED };
        answer.header(RETRY_AFTER, retry_after).problem_type(kind, vec![("violated-policies", violated.into())])
    }
}

fn over(limit: &Limit, named: &Named) -> Cause {
    let cause = Cause::new(CauseKind::OverLimit, "number of requests", limit.rule.clone());
    let wanted = i64::try_from(named.quota).unwrap_or(i64::MAX);
    cause.detail(format!("policy `{}`, in {} s", named.name, named.window)).wanted(Shown::Number(wanted))
}

fn moment(moment: tollgate_filter_api::Moment) -> counters::Moment {
    counters::Moment { wall: moment.wall, instant: moment.instant }
}
