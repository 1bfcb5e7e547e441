//! The endpoint groups of a Plan, and their rules, for `tollgate plan`.

use serde::Serialize;
use tollgate_plan::{CircuitGuard, EndpointGroup, EndpointUrl, Environment, Guards, Plan, PoolGuard, RetryGuard, Strategy};

use super::table;

/// A group, for programs.
#[derive(Serialize)]
pub(super) struct Group<'a> {
    name: &'a str,
    environment: Environment,
    strategy: Strategy,
    urls: &'a [EndpointUrl],
    http2: bool,
    guards: &'a Option<Guards>,
    source: String,
}

/// Every group of a Plan.
pub(super) fn data(plan: &Plan) -> Vec<Group<'_>> {
    plan.endpoints.iter().map(|group| Group::of(plan, group)).collect()
}

impl<'a> Group<'a> {
    fn of(plan: &Plan, group: &'a EndpointGroup) -> Self {
        let EndpointGroup { name, environment, strategy, urls, basic: _, http2, guards, source } = group;
        Self { name, environment: *environment, strategy: *strategy, urls, http2: *http2, guards, source: plan.written(source) }
    }
}

/// A table of the groups of which there is more to say than one URL; empty when there is none.
pub(super) fn text(plan: &Plan) -> String {
    let told = plan.endpoints.iter().filter(|group| group.urls.len() > 1 || group.guards.is_some() || group.urls.iter().any(is_looked_up));
    let rows: Vec<Vec<String>> = told.map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}", table::render(&["ENDPOINT GROUP", "ENDPOINTS", "RULES"], &rows))
}

fn is_looked_up(url: &EndpointUrl) -> bool {
    url.etcd_key.is_some()
}

fn row(group: &EndpointGroup) -> Vec<String> {
    let name = match group.environment {
        Environment::Production => group.name.clone(),
        Environment::Sandbox => format!("{} (sandbox)", group.name),
    };
    let url = |url: &EndpointUrl| match &url.etcd_key {
        Some(key) => format!("etcd({key},{})", url.url),
        None => url.url.clone(),
    };
    vec![name, group.urls.iter().map(url).collect::<Vec<_>>().join(" "), rules(group)]
}

/// In the words of the manual.
fn rules(group: &EndpointGroup) -> String {
    let mut rules = Vec::new();
    match group.strategy {
        Strategy::Single => {}
        Strategy::LoadBalance => rules.push("round robin".to_owned()),
        Strategy::Failover => rules.push("failover".to_owned()),
    }
    if let Some(guards) = &group.guards {
        rules.extend(guards.timeout.map(|timeout| format!("silence of {timeout} ms at most")));
        rules.extend(guards.retry.as_ref().map(retry));
        rules.extend(guards.circuit_breaker.as_ref().map(circuit));
        rules.extend(guards.pool.as_ref().and_then(pool));
    }
    if rules.is_empty() { "-".to_owned() } else { rules.join("; ") }
}

fn retry(retry: &RetryGuard) -> String {
    format!("{} more attempts{}, after {} ms", retry.count, after(&retry.statuses), retry.interval)
}

fn circuit(circuit: &CircuitGuard) -> String {
    let CircuitGuard { requests, window, threshold, reset, statuses, .. } = circuit;
    let percent = threshold * 100.0;
    format!("circuit breaker when over {percent} % of {requests} or more requests in {window} ms fail{}, for {reset} ms", after(statuses))
}

fn pool(pool: &PoolGuard) -> Option<String> {
    pool.active.map(|active| format!("{active} requests at a time, others wait for {} ms", pool.wait))
}

fn after(statuses: &[u16]) -> String {
    if statuses.is_empty() {
        return String::new();
    }
    format!(" (also {})", statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use tollgate_plan::Source;

    use super::*;

    fn group(strategy: Strategy, urls: &[(&str, Option<&str>)], guards: Option<Guards>) -> EndpointGroup {
        let url = |(url, key): &(&str, Option<&str>)| EndpointUrl {
            url: (*url).to_owned(),
            etcd_key: key.map(str::to_owned),
            source: Source::default(),
        };
        EndpointGroup {
            name: "pets".into(),
            environment: Environment::Production,
            strategy,
            urls: urls.iter().map(url).collect(),
            basic: None,
            http2: false,
            guards,
            source: Source::default(),
        }
    }

    #[test]
    fn a_group_of_one_url_without_rules_is_not_told() {
        let plan = Plan { endpoints: vec![group(Strategy::Single, &[("http://a", None)], None)], ..Plan::default() };
        assert_eq!(text(&plan), "");
    }

    #[test]
    fn rules_are_told_in_words() {
        let circuit = CircuitGuard { requests: 10, window: 60_000, bucket: 10_000, threshold: 0.5, reset: 1000, statuses: vec![500] };
        let retry = RetryGuard { count: 2, interval: 100, factor: 1.0, longest: 1000, statuses: vec![502, 503] };
        let pool = Some(PoolGuard { active: Some(7), wait: 30 });
        let guards = Guards { timeout: Some(3000), retry: Some(retry), circuit_breaker: Some(circuit), pool, source: Source::default() };
        let urls = [("http://a", Some("key")), ("http://b", None)];
        let said = row(&group(Strategy::Failover, &urls, Some(guards)));
        assert_eq!(said[1], "etcd(key,http://a) http://b");
        assert_eq!(
            said[2],
            "failover; silence of 3000 ms at most; 2 more attempts (also 502 503), after 100 ms; circuit breaker when over 50 % of 10 or more \
             requests in 60000 ms fail (also 500), for 1000 ms; 7 requests at a time, others wait for 30 ms"
        );
    }
}
