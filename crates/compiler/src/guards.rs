//! `advanceEndpointConfig`: what guards the endpoints of a group, by the reference product's names and defaults.

use tollgate_document::Shape;
use tollgate_filter_api::Problems;
use tollgate_plan::{CircuitGuard, Guards, PoolGuard, RetryGuard};

use crate::demands::unknown_key;
use crate::input::spot::Spot;

/// Most further attempts.
const MOST_RETRIES: u64 = 10;
/// Longest pause between two attempts when none is said, in milliseconds.
const LONGEST_PAUSE: u64 = 60_000;
/// How long a request waits for a connection when nothing is said, in milliseconds.
const WAIT: u64 = 30_000;
/// No time is longer, in milliseconds: a year.
const MOST_MILLIS: u64 = 366 * 86_400_000;

/// Reads it; `None` when something is wrong, which is reported.
pub(crate) fn read(spot: &Spot<'_>, problems: &mut Problems) -> Option<Guards> {
    let mut reader = Reader { problems, sound: true };
    let guards = reader.guards(spot);
    reader.sound.then_some(guards)
}

struct Reader<'p> {
    problems: &'p mut Problems,
    sound: bool,
}

impl Reader<'_> {
    fn guards(&mut self, spot: &Spot<'_>) -> Guards {
        if !self.object(spot, "advanceEndpointConfig", &["timeoutInMillis", "retryConfig", "circuitBreaker", "poolConfig"]) {
            return Guards::default();
        }
        Guards {
            timeout: self.whole(spot, "timeoutInMillis", MOST_MILLIS).filter(|timeout| *timeout > 0),
            retry: spot.get("retryConfig").map(|retry| self.retry(&retry)),
            circuit_breaker: spot.get("circuitBreaker").map(|breaker| self.circuit_breaker(&breaker)),
            pool: spot.get("poolConfig").map(|pool| self.pool(&pool)),
            source: spot.source(),
        }
    }

    fn retry(&mut self, spot: &Spot<'_>) -> RetryGuard {
        self.object(spot, "retryConfig", &["count", "intervalInMillis", "backOffFactor", "maxWaitIntervalInMillis", "statusCodes"]);
        // As the reference product has it, 0 stands for the default.
        let above_zero = |number: Option<u64>| number.filter(|number| *number > 0);
        RetryGuard {
            count: self.whole(spot, "count", MOST_RETRIES).unwrap_or(0) as u32,
            interval: self.whole(spot, "intervalInMillis", MOST_MILLIS).unwrap_or(0),
            factor: self.number(spot, "backOffFactor", f64::MIN, 1000.0).filter(|factor| *factor > 0.0).unwrap_or(1.0),
            longest: above_zero(self.whole(spot, "maxWaitIntervalInMillis", MOST_MILLIS)).unwrap_or(LONGEST_PAUSE),
            statuses: self.statuses(spot),
        }
    }

    fn circuit_breaker(&mut self, spot: &Spot<'_>) -> CircuitGuard {
        self.object(spot, "circuitBreaker", &["rollingWindow", "failureThreshold", "resetTimeInMillis", "statusCodes"]);
        let window = spot.get("rollingWindow");
        if let Some(window) = &window {
            self.object(window, "rollingWindow", &["requestVolumeThreshold", "timeWindowInMillis", "bucketSizeInMillis"]);
        }
        let mut of_window = |key, most| window.as_ref().and_then(|window| self.whole(window, key, most));
        let requests = of_window("requestVolumeThreshold", u64::from(u32::MAX)).unwrap_or(10) as u32;
        let (length, bucket) = (of_window("timeWindowInMillis", MOST_MILLIS), of_window("bucketSizeInMillis", MOST_MILLIS));
        let (length, bucket) = (length.unwrap_or(60_000), bucket.unwrap_or(10_000));
        if bucket == 0 || bucket >= length {
            let message = format!("`bucketSizeInMillis` must be less than `timeWindowInMillis` and above 0, found {bucket} of {length}");
            self.wrong(window.as_ref().unwrap_or(spot), message, "write for instance 60000 and 10000");
        }
        CircuitGuard {
            requests,
            window: length,
            bucket,
            threshold: self.number(spot, "failureThreshold", 0.0, 1.0).unwrap_or(0.0),
            reset: self.whole(spot, "resetTimeInMillis", MOST_MILLIS).unwrap_or(0),
            statuses: self.statuses(spot),
        }
    }

    fn pool(&mut self, spot: &Spot<'_>) -> PoolGuard {
        let known = ["maxActiveConnections", "maxIdleConnections", "waitTimeInMillis", "maxActiveStreamsPerConnection"];
        self.object(spot, "poolConfig", &known);
        let message = "it has no effect: unused connections are kept as `idle_timeout` says, and a connection has up to 100 streams";
        for key in ["maxIdleConnections", "maxActiveStreamsPerConnection"] {
            self.problems.0.extend(spot.get(key).map(|spot| spot.warning("endpoint.pool", format!("`{key}`: {message}"))));
        }
        let active = match spot.get("maxActiveConnections").and_then(|spot| spot.value().as_i64()) {
            Some(-1 | 0) => None,
            _ => self.whole(spot, "maxActiveConnections", u64::from(u32::MAX)).map(|active| active as u32),
        };
        PoolGuard { active, wait: self.whole(spot, "waitTimeInMillis", MOST_MILLIS).unwrap_or(WAIT) }
    }

    fn statuses(&mut self, spot: &Spot<'_>) -> Vec<u16> {
        let Some(list) = spot.get("statusCodes") else { return Vec::new() };
        if !list.is(Shape::Array) {
            self.wrong(&list, "`statusCodes` must be a list", "write `[502, 503]`");
            return Vec::new();
        }
        let mut statuses = Vec::new();
        for item in list.items() {
            match item.value().as_u64().and_then(|status| u16::try_from(status).ok()).filter(|status| (100..600).contains(status)) {
                Some(status) => statuses.push(status),
                None => self.wrong(&item, "expected a status from 100 to 599", ""),
            }
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// Whether it is an object; keys that are not known are told.
    fn object(&mut self, spot: &Spot<'_>, name: &str, known: &[&str]) -> bool {
        if !spot.is(Shape::Object) {
            self.wrong(spot, format!("`{name}` must be an object"), "");
            return false;
        }
        for (key, value) in spot.entries().filter(|(key, _)| !known.contains(key)) {
            self.problems.push(unknown_key(key, &value, "endpoint.unknown_key", known));
        }
        true
    }

    fn whole(&mut self, spot: &Spot<'_>, key: &str, most: u64) -> Option<u64> {
        let found = spot.get(key)?;
        let number = found.value().as_u64().filter(|number| *number <= most);
        if number.is_none() {
            self.wrong(&found, format!("`{key}` must be a whole number from 0 to {most}"), "");
        }
        number
    }

    fn number(&mut self, spot: &Spot<'_>, key: &str, least: f64, most: f64) -> Option<f64> {
        let found = spot.get(key)?;
        let number = found.value().as_f64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let range = if least < 0.0 { format!("of at most {most}") } else { format!("from {least} to {most}") };
            self.wrong(&found, format!("`{key}` must be a number {range}"), "");
        }
        number
    }

    fn wrong(&mut self, spot: &Spot<'_>, message: impl Into<String>, hint: &str) {
        self.problems.push(spot.error("endpoint.advanced", message).hint(hint));
        self.sound = false;
    }
}
