//! What the limits of a request came to.

use http::header::RETRY_AFTER;
use serde::{Deserialize, Serialize};
use tollgate_counters::{Ask, Verdict};
use tollgate_filter_api::{Answer, Call, Cause, CauseKind, HeaderValue, Rule, Shown};

use crate::{
    fields::Heard,
    filter::{All, Asked},
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
    retry_after: u64,
    /// In the order of the limits that were asked.
    pub said: [Said; MOST],
}

/// What one limit said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Nobody knows what is left of the quota that gateways share.
    is_unknown: bool,
    pub is_over: bool,
    remaining: u64,
    reset: u64,
}

impl Said {
    /// Of which policy.
    fn of(self, named: &Named) -> Heard<'_> {
        Heard { named, remaining: self.remaining, reset: self.reset, is_over: self.is_over || self.is_unknown }
    }
}

impl Decided {
    /// What the asks were told. Who gives up does not wait any longer.
    pub(crate) fn new(verdict: Verdict, asks: &[Ask<'_>], gives_up: bool) -> Self {
        let mut said = [Said::default(); MOST];
        for (place, ask) in said.iter_mut().zip(asks) {
            let told = &ask.told;
            let is_unknown = told.away || told.waits;
            let reset = if is_unknown { told.retry_after.max(1) } else { told.reset };
            *place = Said { is_unknown, is_over: !told.accepted && !is_unknown, remaining: told.remaining, reset };
        }
        Self {
            passes: verdict.passes,
            waits: verdict.waits && !gives_up,
            full: verdict.full,
            retry_after: verdict.retry_after.max(1),
            said,
        }
    }

    /// Counts who was over which limit.
    pub(crate) fn count(&self, asked: &All<'_>) {
        asked.iter().zip(&self.said).filter(|(_, said)| said.is_over).for_each(|(asked, _)| asked.named.over.inc());
    }

    /// What a client may be told. Of a limit that nobody knows it hears only when its request is refused for nothing else.
    pub(crate) fn heard<'a>(&'a self, asked: &'a All<'_>) -> impl Iterator<Item = Heard<'a>> + Clone {
        let all_known = self.passes || self.refusing(asked).is_some();
        let told = asked.iter().zip(&self.said).filter(move |(_, said)| !(all_known && said.is_unknown));
        told.map(|(asked, said)| said.of(&asked.named))
    }

    /// The first limit that is reached and refuses.
    fn refusing<'a>(&self, asked: &'a [Asked<'_>]) -> Option<&'a Asked<'a>> {
        asked.iter().zip(&self.said).find(|(asked, said)| said.is_over && asked.named.stops).map(|(asked, _)| asked)
    }

    /// The refusal, of the first limit that refuses. A limit that is reached comes before one that nobody knows.
    pub(crate) fn answer(&self, asked: &[Asked<'_>], call: &Call) -> Answer {
        let retry_after = HeaderValue::from(self.retry_after + spread(self.retry_after, call));
        let refusing = self.refusing(asked);
        let (answer, kind) = match refusing {
            _ if self.full => {
                (FULL.because(Cause::new(CauseKind::Unavailable, "counter", Rule::Gateway("/stores/counters/max_keys"))), REDUCED)
            }
            Some(asked) => (asked.limit.reason.because(over(asked.limit, &asked.named)), EXCEEDED),
            None => (AWAY.because(Cause::new(CauseKind::Unavailable, "shared quota", Rule::Gateway("/stores/redis"))), REDUCED),
        };
        let violates = |said: &Said| if refusing.is_some() { said.is_over } else { said.is_unknown };
        let violated = asked.iter().zip(&self.said).filter(|(asked, said)| violates(said) && asked.named.stops);
        let violated: Vec<&str> = violated.map(|(asked, _)| &*asked.named.name).collect();
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
