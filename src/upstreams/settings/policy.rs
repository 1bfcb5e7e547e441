//! How a group is balanced and guarded, as definition and configuration say.

use std::{sync::Arc, time::Duration};

use http::HeaderName;
use tollgate_filter_api::{Carrier, Problem};
use tollgate_plan::{self as plan, EndpointGroup};

use super::{
    build::Inputs,
    said::{Origin, Said, Settings},
};
use crate::{
    config::{self, BalanceKey, BalanceStrategy, Check, HttpCheck, Probe, StatusRange},
    upstreams::{
        Policy, Strategy,
        policy::{Balancing, Capacity, CircuitBreaker, Ejection, Key, Retries, Statuses, Sticky},
    },
};

/// Most further attempts of a request: the engine makes no more than 16 rounds.
const MOST_RETRIES: u32 = 10;
/// Shortest time between two checks of an endpoint.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Longest name of a service that is checked, in bytes.
const MOST_SERVICE: usize = 120;

/// Reads the policy of one group, and gathers what is wrong.
pub struct Reader<'a, 'p> {
    pub inputs: &'a Inputs<'a>,
    pub settings: &'p Settings<'a>,
    pub problems: &'p mut Vec<Problem>,
}

impl<'a> Reader<'a, '_> {
    /// The policy of the group.
    pub fn policy(&mut self, group: &'a EndpointGroup) -> Policy {
        Policy {
            balancing: self.balancing(group),
            ejection: self.ejection(),
            breaker: self.breaker(group),
            retries: self.retries(group),
            capacity: self.capacity(group),
            check: self.check(),
        }
    }

    fn balancing(&mut self, group: &EndpointGroup) -> Balancing {
        let declared = match group.strategy {
            // The definition had one URL; several that replace it share the load, as several without a type do.
            plan::Strategy::Single | plan::Strategy::LoadBalance => Strategy::RoundRobin,
            plan::Strategy::Failover => Strategy::Failover,
        };
        let mut balancing = Balancing::new(declared);
        balancing.zone = self.inputs.gateway.upstream.zone.as_deref().map(Arc::from);
        let Some(Said { value, by }) = self.settings.entry("balance", |entry| entry.balance.as_ref()) else { return balancing };
        balancing.strategy = match value.strategy {
            None => declared,
            Some(BalanceStrategy::RoundRobin) => Strategy::RoundRobin,
            Some(BalanceStrategy::LeastRequests) => Strategy::LeastRequests,
            Some(BalanceStrategy::Ewma) => Strategy::Ewma,
            Some(BalanceStrategy::Hash) => Strategy::Hash,
            Some(BalanceStrategy::Failover) => Strategy::Failover,
        };
        balancing.key = value.key.as_ref().and_then(|key| self.key(key, &by));
        if (balancing.strategy == Strategy::Hash) != value.key.is_some() {
            self.wrong::<()>(&by, "key", "`key` and `strategy: hash` go together", "write both, or none of them");
        }
        // Those two do not share requests by weight.
        if !value.slow_start.0.is_zero() && matches!(value.strategy, Some(BalanceStrategy::Hash | BalanceStrategy::Failover)) {
            self.wrong::<()>(&by, "slow_start", "`slow_start` has no effect with this strategy", "leave it out");
        }
        balancing.sticky = value.sticky.as_ref().and_then(|sticky| self.sticky(sticky, &by));
        (balancing.min_ready, balancing.panic, balancing.slow_start) = (value.min_ready.0, value.panic.0, value.slow_start.0);
        balancing
    }

    fn key(&mut self, key: &BalanceKey, by: &Origin<'a>) -> Option<Key> {
        Some(match key {
            BalanceKey::Header(name) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => Key::Carried(Carrier::Header(name)),
                Err(_) => return self.wrong(by, "key/header", &format!("`{name}` is no name of a field"), ""),
            },
            BalanceKey::Cookie(name) if is_token(name) => Key::Carried(Carrier::Cookie(name.clone())),
            BalanceKey::Cookie(name) => return self.wrong(by, "key/cookie", &format!("`{name}` is no name of a cookie"), ""),
            BalanceKey::Claim(name) => Key::Claim(name.clone()),
            BalanceKey::Address => Key::Address,
        })
    }

    fn sticky(&mut self, sticky: &config::StickyCookie, by: &Origin<'a>) -> Option<Sticky> {
        if !is_token(&sticky.cookie) {
            return self.wrong(by, "sticky/cookie", &format!("`{}` is no name of a cookie", sticky.cookie), "");
        }
        if sticky.keep.is_some_and(|keep| keep.0 < Duration::from_secs(1)) {
            return self.wrong(by, "sticky/keep", "`keep` must be a second at least", "leave it out to keep it until the browser ends");
        }
        Some(Sticky {
            cookie: sticky.cookie.clone(),
            carrier: Carrier::Cookie(sticky.cookie.clone()),
            keep: sticky.keep.map(|keep| keep.0),
        })
    }

    fn ejection(&mut self) -> Option<Ejection> {
        let Some(Said { value, by }) = self.settings.entry("eject", |entry| entry.eject.as_ref()) else { return Some(Ejection::default()) };
        if value.rate.0 > 0 && value.window.0 < Duration::from_millis(10) {
            self.wrong::<()>(&by, "window", "`window` is too short to count anything", "write 10s");
        }
        if value.time.0.is_zero() || value.longest.0 < value.time.0 {
            self.wrong::<()>(&by, "longest", "`time` must be above 0, and `longest` no shorter", "");
        }
        if value.share.0 == 0 && (value.consecutive > 0 || value.rate.0 > 0) {
            self.wrong::<()>(&by, "share", "with a `share` of 0, none is ever ejected", "to eject none, write `consecutive: 0`");
        }
        (value.consecutive > 0 || value.rate.0 > 0).then(|| Ejection {
            consecutive: value.consecutive,
            rate: value.rate.0,
            requests: value.requests.max(1),
            window: value.window.0,
            statuses: statuses(&value.statuses),
            base: value.time.0,
            most: value.longest.0,
            share: value.share.0,
        })
    }

    fn breaker(&mut self, group: &EndpointGroup) -> Option<CircuitBreaker> {
        let Some(Said { value, by }) = self.settings.entry("circuit_breaker", |entry| entry.circuit_breaker.as_ref()) else {
            return group.guards.as_ref()?.circuit_breaker.as_ref().map(declared_breaker);
        };
        if value.bucket.0.is_zero() || value.bucket.0 >= value.window.0 {
            self.wrong::<()>(&by, "bucket", "`bucket` must be above 0 and shorter than `window`", "");
        }
        if !(0.0..1.0).contains(&value.threshold) {
            self.wrong::<()>(&by, "threshold", "`threshold` must be 0 or more, and less than 1", "0.5 stands for half of the requests");
        }
        Some(CircuitBreaker {
            window: value.window.0,
            bucket: value.bucket.0,
            requests: value.requests,
            threshold: value.threshold,
            reset: value.reset.0,
            statuses: statuses(&value.statuses),
        })
    }

    fn retries(&mut self, group: &EndpointGroup) -> Option<Retries> {
        let Some(Said { value, by }) = self.settings.entry("retry", |entry| entry.retry.as_ref()) else {
            return group.guards.as_ref()?.retry.as_ref().map(declared_retries).filter(|retries| retries.count > 0);
        };
        if value.count > MOST_RETRIES {
            self.wrong::<()>(&by, "count", &format!("`count` must be {MOST_RETRIES} at most"), "");
        }
        if !(1.0..=10.0).contains(&value.factor) {
            self.wrong::<()>(&by, "factor", "`factor` must be from 1 to 10", "");
        }
        if value.count > 0 && value.longest.0 < value.interval.0 {
            self.wrong::<()>(&by, "longest", "`longest` is shorter than `interval`, which therefore would not hold", "write a longer one");
        }
        (value.count > 0).then(|| Retries {
            count: value.count,
            statuses: statuses(&value.statuses),
            interval: value.interval.0,
            factor: value.factor,
            most: value.longest.0,
            budget: Some(value.budget.0),
        })
    }

    fn capacity(&mut self, group: &EndpointGroup) -> Option<Capacity> {
        let Some(Said { value, by }) = self.settings.entry("capacity", |entry| entry.capacity.as_ref()) else {
            let pool = group.guards.as_ref()?.pool.as_ref()?;
            let wait = Duration::from_millis(pool.wait);
            return pool.active.map(|requests| Capacity { requests, pending: u32::MAX, wait });
        };
        if value.requests == 0 {
            self.wrong::<()>(&by, "requests", "`requests` is 0, so that no request could be served", "");
        }
        if value.pending > 0 && value.wait.0.is_zero() {
            self.wrong::<()>(&by, "wait", "no request could wait for no time", "write `pending: 0`, or a longer `wait`");
        }
        Some(Capacity { requests: value.requests, pending: value.pending, wait: value.wait.0 })
    }

    fn check(&mut self) -> Option<Check> {
        let Said { value, by } = self.settings.entry("check", |entry| entry.check.as_ref())?;
        if value.interval.0 < SHORTEST_INTERVAL || value.timeout.0.is_zero() {
            self.wrong::<()>(&by, "interval", "`interval` must be 100ms at least, and `timeout` above 0", "write 5s and 2s");
        }
        if value.healthy == 0 || value.unhealthy == 0 {
            self.wrong::<()>(&by, "healthy", "`healthy` and `unhealthy` must be above 0", "");
        }
        match &value.probe {
            Probe::Tcp => {}
            Probe::Http(check) => self.http_check(check, &by),
            Probe::Grpc(check) if check.service.len() > MOST_SERVICE => {
                self.wrong::<()>(&by, "probe/grpc/service", &format!("`service` has more than {MOST_SERVICE} bytes"), "");
            }
            Probe::Grpc(_) => {}
        }
        Some(value.clone())
    }

    fn http_check(&mut self, check: &HttpCheck, by: &Origin<'a>) {
        if !check.path.starts_with('/') || http::uri::PathAndQuery::try_from(check.path.as_str()).is_err() {
            self.wrong::<()>(by, "probe/http/path", "`path` must begin with a slash, and be one that can be sent", "write `/health`");
        }
        if check.statuses.is_empty() {
            self.wrong::<()>(by, "probe/http/statuses", "there must be at least one status that is well", "");
        }
        let authority = |host: &String| host.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'));
        if !check.host.as_ref().is_none_or(authority) {
            self.wrong::<()>(by, "probe/http/host", "`host` must be a host, with or without a port", "");
        }
    }

    fn wrong<T>(&mut self, by: &Origin<'a>, member: &str, message: &str, hint: &str) -> Option<T> {
        let by = match by {
            Origin::Setting(pointer) => Origin::Setting(format!("{pointer}/{member}")),
            other => other.clone(),
        };
        self.problems.push(by.error(self.inputs, "upstream.guards", message).hint(hint));
        None
    }
}

fn declared_breaker(breaker: &plan::CircuitGuard) -> CircuitBreaker {
    CircuitBreaker {
        window: Duration::from_millis(breaker.window),
        bucket: Duration::from_millis(breaker.bucket),
        requests: breaker.requests,
        threshold: breaker.threshold,
        reset: Duration::from_millis(breaker.reset),
        statuses: Statuses(breaker.statuses.iter().map(|status| *status..=*status).collect()),
    }
}

/// The reference product has no budget.
fn declared_retries(retry: &plan::RetryGuard) -> Retries {
    Retries {
        count: retry.count.min(MOST_RETRIES),
        statuses: Statuses(retry.statuses.iter().map(|status| *status..=*status).collect()),
        interval: Duration::from_millis(retry.interval),
        factor: retry.factor,
        most: Duration::from_millis(retry.longest),
        budget: None,
    }
}

fn statuses(ranges: &[StatusRange]) -> Statuses {
    Statuses(ranges.iter().map(|range| range.0.clone()).collect())
}

/// RFC 6265 §4.1.1: a cookie's name is a token.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
