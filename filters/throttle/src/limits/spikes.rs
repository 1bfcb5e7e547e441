//! The spike arrest of a subscription's tier: how fast its application may call, as the claim `tierInfo` of the verified credential says.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use tollgate_counters::{self as counters, Algorithm};
use tollgate_filter_api::{Answer, Cause, CauseKind, Counter, Env, Rule, Shown};

use crate::{
    limits::{
        part::Seen,
        policies::{Named, Unit},
        tiers,
    },
    reasons::UNKNOWN_TIER,
};

/// Most policies that are kept. Credentials of an issuer name few.
const KEPT: usize = 256;

/// What one says that allows so many requests in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    requests: u64,
    seconds: u64,
}

/// The policies that credentials have named so far.
#[derive(Debug)]
pub(crate) struct Spikes {
    made: ArcSwap<Vec<(Rate, Arc<Named>)>>,
    over: Counter,
    stops: bool,
}

impl Spikes {
    /// None yet.
    pub(crate) fn new(stops: bool, env: &Env) -> Self {
        Self { made: ArcSwap::default(), over: env.metrics.counter("throttle_over_total", Some(("policy", NAME))), stops }
    }

    /// The policy for the caller, when its tier has a spike arrest.
    ///
    /// # Errors
    /// The refusal, when nobody knows what the credential says.
    pub(crate) fn policy(&self, seen: Seen<'_>) -> Result<Option<Arc<Named>>, Answer> {
        let entry = tiers::subscription(seen.credentials, &seen.call.operation);
        let Some(Value::String(tier)) = entry.and_then(|entry| entry.get("subscriptionTier")) else { return Ok(None) };
        let info = seen.credentials.iter().find_map(|credential| credential.claims.get("tierInfo")?.get(tier));
        match info.map(rate) {
            None | Some(Ok(None)) => Ok(None),
            // A limit that only reports does not refuse what it cannot count.
            Some(Ok(Some(rate))) => self.named(rate).map(Some).or_else(|refusal| if self.stops { Err(refusal) } else { Ok(None) }),
            Some(Err(found)) if self.stops => Err(unknown(found)),
            Some(Err(_)) => Ok(None),
        }
    }

    fn named(&self, rate: Rate) -> Result<Arc<Named>, Answer> {
        let made = self.made.load();
        if let Some((_, named)) = made.iter().find(|(known, _)| *known == rate) {
            return Ok(named.clone());
        }
        let named = self.make(rate).map_err(|_| unknown(&Value::from(rate.requests)))?;
        if made.len() < KEPT {
            self.made.rcu(|made| {
                let mut all = made.to_vec();
                all.push((rate, named.clone()));
                all
            });
        }
        Ok(named)
    }

    /// The rate goes into the counters' name, or a credential of another rate would find what this one has used.
    fn make(&self, Rate { requests, seconds }: Rate) -> Result<Arc<Named>, counters::PolicyError> {
        let name = format!("{NAME} {requests}/{seconds}");
        let policy = counters::Policy::new(&name, Algorithm::Gcra { burst: requests }, counters::Limit::Requests(requests), seconds)?;
        let quota = (Unit::Requests, requests, seconds);
        Ok(Arc::new(Named::new(NAME, policy, quota, self.stops, self.over.clone())))
    }
}

/// What clients and series call all of them.
const NAME: &str = "spike arrest";

/// Both members as the reference product writes them; without a rate there is none.
fn rate(info: &Value) -> Result<Option<Rate>, &Value> {
    let limit = match info.get("spikeArrestLimit") {
        None | Some(Value::Null) => return Ok(None),
        Some(limit) => limit,
    };
    let requests = limit.as_u64().or_else(|| limit.as_str()?.parse().ok()).ok_or(limit)?;
    if requests == 0 {
        return Ok(None);
    }
    let unit = info.get("spikeArrestUnit").unwrap_or(&Value::Null);
    let seconds = match unit.as_str() {
        Some("sec" | "s") => 1,
        Some("min" | "m") => 60,
        Some("hour" | "h") => 3_600,
        Some("day" | "d") => 86_400,
        _ => return Err(unit),
    };
    Ok(Some(Rate { requests, seconds }))
}

fn unknown(found: &Value) -> Answer {
    let cause = Cause::new(CauseKind::Unmatched, "claim `tierInfo`", Rule::setting("/tiers/spike_arrest"));
    let cause = cause.detail("its spike arrest is no rate that can be enforced");
    UNKNOWN_TIER.because(cause.seen(Shown::sent(&found.to_string())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rate_is_read_as_the_reference_product_writes_it_and_nothing_else_is() {
        let of = |limit: Value, unit: Value| {
            rate(&json!({ "stopOnQuotaReach": true, "spikeArrestLimit": limit, "spikeArrestUnit": unit })).map_err(Clone::clone)
        };
        assert_eq!(of(json!(0), json!(null)), Ok(None));
        assert_eq!(rate(&json!({})), Ok(None));
        assert_eq!(of(json!(10), json!("min")), Ok(Some(Rate { requests: 10, seconds: 60 })));
        assert_eq!(of(json!("10"), json!("sec")), Ok(Some(Rate { requests: 10, seconds: 1 })));
        for (limit, unit) in
            [(json!(-1), json!("min")), (json!(1.5), json!("min")), (json!(10), json!("fortnight")), (json!(10), json!(null))]
        {
            assert!(of(limit.clone(), unit.clone()).is_err(), "{limit} {unit}");
        }
    }
}
