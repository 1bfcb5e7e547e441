//! What the limits of a request came to.

use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use tollgate_counters::{Ask, Verdict};
use tollgate_filter_api::{Answer, Call, Cause, CauseKind, HeaderValue, Rule, Shown};

use crate::{
    fields::Heard,
    filter::Asked,
    limits::{
        Limit, MOST,
        policies::{Named, Unit},
    },
    reasons::{AWAY, FULL},
};

/// Problem types of draft-ietf-httpapi-ratelimit-headers-11, §5: the quota is used up, and the gateway can do less than usual.
pub(crate) const EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// What the limits came to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Whether the request goes on.
    pub passes: bool,
    /// The request waits for the store of a shared quota.
    pub waits: bool,
    full: bool,
    /// The store of a shared quota is away, or too slow.
    away: bool,
    retry_after: u64,
    /// In the order of the limits that were asked.
    pub said: [Said; MOST],
}

/// What one limit said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    pub is_over: bool,
    remaining: u64,
    reset: u64,
}

impl Said {
    /// Of which policy.
    pub(crate) fn of(self, named: &Named) -> Heard<'_> {
        Heard { named, remaining: self.remaining, reset: self.reset, is_over: self.is_over }
    }
}

impl Decided {
    /// What the asks were told. Who gives up does not wait any longer.
    pub(crate) fn new(verdict: Verdict, asks: &[Ask<'_>], gives_up: bool) -> Self {
        let mut said = [Said::default(); MOST];
        for (place, ask) in said.iter_mut().zip(asks) {
            *place = Said { is_over: !ask.told.accepted, remaining: ask.told.remaining, reset: ask.told.reset };
        }
        Self {
            passes: verdict.passes,
            waits: verdict.waits && !gives_up,
            full: verdict.full,
            away: verdict.away || (verdict.waits && gives_up),
            retry_after: verdict.retry_after.max(1),
            said,
        }
    }

    /// The refusal, of the first limit that refuses.
    pub(crate) fn answer(&self, asked: &[Asked<'_>], call: &Call) -> Answer {
        let retry_after = HeaderValue::from(self.retry_after + spread(self.retry_after, call));
        let refused = asked.iter().zip(&self.said).find(|(asked, said)| said.is_over && asked.named.stops);
        let answer = match refused {
            _ if self.full => FULL.because(Cause::new(CauseKind::Unavailable, "counter", Rule::Gateway("/stores/counters/max_keys"))),
            Some((asked, _)) if !self.away => asked.limit.reason.because(over(asked.limit, &asked.named)),
            _ => AWAY.because(Cause::new(CauseKind::Unavailable, "shared quota", Rule::Gateway("/stores/redis"))),
        };
        let over = asked.iter().zip(&self.said).filter(|(asked, said)| said.is_over && asked.named.stops);
        let violated: Vec<&str> = over.map(|(asked, _)| &*asked.named.name).collect();
        let kind = if self.full || self.away { REDUCED } else { EXCEEDED };
        answer.header(RETRY_AFTER, retry_after).problem_type(kind, vec![("violated-policies", violated.into())])
    }
}

/// Up to a tenth of the seconds that clients are told to wait: who waited for the same edge does not come back in the same second.
pub(crate) fn spread(retry_after: u64, call: &Call) -> u64 {
    u64::try_from(call.request_id.value % u128::from(retry_after / 10 + 1)).unwrap_or_default()
}

fn over(limit: &Limit, named: &Named) -> Cause {
    let cause = Cause::new(CauseKind::OverLimit, named.unit.name(), limit.rule.clone());
    let within = if named.window > 0 { format!(", in {} s", named.window) } else { String::new() };
    let wanted = match named.unit {
        Unit::Bytes => Shown::Bytes(named.quota),
        Unit::Requests | Unit::Concurrent => Shown::Number(i64::try_from(named.quota).unwrap_or(i64::MAX)),
    };
    cause.detail(format!("policy `{}`{within}", named.name)).wanted(wanted)
}
