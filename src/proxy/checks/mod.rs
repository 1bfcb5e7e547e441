//! Checks of endpoints, whether or not there are requests: each endpoint of a group with `check` is asked at its interval, by a task of its own
//! that ends with the endpoint or with the configuration.
//!
//! A check goes the way of a request (address, TLS, certificates), over a connection of its own, so that a server which takes no new ones is
//! found out. Several addresses of a name take turns. It does not protect against a server that answers checks better than requests; see
//! `eject`.

mod probe;

use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use pingora::connectors::http::Connector;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    config::Check,
    proxy::{running::gateway::Gateway, transport::upstream_peer::UpstreamPeer},
    upstreams,
};

type Group = upstreams::Group<UpstreamPeer>;
type Endpoint = upstreams::Endpoint<UpstreamPeer>;

/// How often it is looked for endpoints that are new.
const LOOK: Duration = Duration::from_millis(100);
/// First checks are spread over so much time, when it is less than the interval: thousands at once would fail for want of the machine.
const SPREAD: Duration = Duration::from_secs(1);
/// So many are asked at once, of all groups together.
const AT_ONCE: usize = 100;

/// Checks endpoints, for ever.
pub async fn run(gateway: Arc<Gateway>) {
    let connector = gateway.kernel.beside.clone();
    let (mut known, mut tasks) = (HashSet::new(), JoinSet::new());
    loop {
        let snapshot = gateway.current();
        let (mut seen, mut new) = (HashSet::new(), 0);
        for group in snapshot.upstreams.all() {
            let Some(check) = &group.policy().check else { continue };
            let set = group.endpoints();
            for endpoint in set.endpoints() {
                seen.insert(endpoint.id());
                if known.contains(&endpoint.id()) {
                    continue;
                }
                let checker = Checker {
                    group: Arc::downgrade(group),
                    endpoint: Arc::downgrade(endpoint),
                    check: check.clone(),
                    connector: connector.clone(),
                };
                let wait = if new < AT_ONCE { Duration::ZERO } else { share(SPREAD.min(check.interval.0), endpoint.id()) };
                new += 1;
                tasks.spawn(checker.run(wait));
            }
        }
        drop(snapshot);
        known = seen;
        while tasks.try_join_next().is_some() {}
        sleep(LOOK).await;
    }
}

/// A part of a time that a number stands for.
fn share(of: Duration, number: u64) -> Duration {
    let part = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    of.mul_f64(part as f64 / f64::from(u32::MAX))
}

/// Checks one endpoint.
struct Checker {
    group: Weak<Group>,
    endpoint: Weak<Endpoint>,
    check: Check,
    connector: Arc<Connector>,
}

impl Checker {
    async fn run(self, wait: Duration) {
        sleep(wait).await;
        let mut verdict = Verdict::default();
        let mut turn = 0_u64;
        while let (Some(group), Some(endpoint)) = (self.group.upgrade(), self.endpoint.upgrade().filter(|endpoint| !endpoint.has_left())) {
            let begun = Instant::now();
            let found = probe::probe(&self.connector, &endpoint, &self.check, turn as usize).await;
            if let Some(told) = verdict.count(found, &self.check) {
                group.checked(&endpoint, told);
            }
            let id = endpoint.id();
            // Nothing is kept alive by being checked.
            drop((group, endpoint));
            turn += 1;
            let interval = self.check.interval.0.mul_f64(0.9) + share(self.check.interval.0.mul_f64(0.2), id.wrapping_add(turn));
            sleep(interval.saturating_sub(begun.elapsed())).await;
        }
    }
}

/// What a row of checks says.
#[derive(Debug, Default)]
struct Verdict {
    /// Checks in a row that say otherwise than what holds.
    row: u32,
    ill: bool,
    begun: bool,
}

impl Verdict {
    /// Counts a check. What is to be told because of it.
    fn count(&mut self, found: Result<(), String>, check: &Check) -> Option<Result<(), String>> {
        let first = !std::mem::replace(&mut self.begun, true);
        if found.is_err() == self.ill {
            self.row = 0;
            return None;
        }
        self.row += 1;
        let needed = if self.ill { check.healthy } else { check.unhealthy };
        if self.row < needed && !(first && found.is_err()) {
            return None;
        }
        (self.ill, self.row) = (found.is_err(), 0);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        serde_json::from_value(serde_json::json!({ "probe": "tcp", "healthy": 2, "unhealthy": 3 })).unwrap()
    }

    fn told(checks: &[bool]) -> Vec<Option<bool>> {
        let mut verdict = Verdict::default();
        let found = |well: &bool| if *well { Ok(()) } else { Err("x".to_owned()) };
        checks.iter().map(|well| verdict.count(found(well), &check()).map(|told| told.is_ok())).collect()
    }

    #[test]
    fn as_many_checks_in_a_row_as_are_set_change_the_verdict() {
        assert_eq!(told(&[true, false, false, true, false, false, false]), [None, None, None, None, None, None, Some(false)]);
        assert_eq!(told(&[true, false, false, false, true, false, true, true]).last(), Some(&Some(true)));
    }

    #[test]
    fn the_very_first_one_decides_alone_when_it_fails() {
        assert_eq!(told(&[false, false, true, true]), [Some(false), None, None, Some(true)]);
    }
}
