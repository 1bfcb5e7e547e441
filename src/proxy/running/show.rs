//! What the admin port shows of the endpoint groups.

use std::time::Instant;

use serde_json::{Map, Value, json};
use tollgate_filter_api::Metrics;
use tollgate_plan::Environment;

use super::snapshot::Snapshot;
use crate::{
    proxy::transport::upstream_peer::UpstreamPeer,
    telemetry::timestamp,
    upstreams::{EndpointView, Group, Upstreams},
};

/// Every group, with its endpoints.
pub(super) fn upstreams(snapshot: &Snapshot) -> Value {
    let now = Instant::now();
    snapshot.upstreams.all().map(|group| show(group, snapshot.endpoints_by(group).unwrap_or("gateway.yaml"), now)).collect()
}

fn show(group: &Group<UpstreamPeer>, by: &str, now: Instant) -> Value {
    let view = group.view(now);
    json!({
        "group": *group.name,
        "environment": match group.environment {
            Environment::Production => "production",
            Environment::Sandbox => "sandbox",
        },
        "by": by,
        "strategy": group.policy().balancing.strategy.word(),
        "ready": view.ready,
        "all_take_requests": view.panics,
        "waiting": view.waiting,
        "endpoints": view.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
    })
}

fn endpoint(view: &EndpointView) -> Value {
    let mut shown = Map::new();
    let mut show = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    show("url", json!(view.url));
    show("addresses", json!(view.addresses));
    show("weight", json!(view.weight));
    show("priority", json!(view.priority));
    show("ready", json!(view.why.is_none()));
    if let Some(why) = &view.why {
        show("why", json!(why.word()));
        show("detail", json!(why.to_string()));
    } else if view.share < 1.0 {
        show("share", json!(view.share));
    }
    if let Some(since) = view.since {
        show("since", json!(timestamp(since)));
    }
    if let Some(active) = view.active {
        show("requests", json!(active));
    }
    if let Some(latency) = view.latency {
        show("latency_ms", json!(latency));
    }
    Value::Object(shown)
}

/// Sets the gauges of every group.
pub(super) fn count(upstreams: &Upstreams<UpstreamPeer>, metrics: &Metrics) {
    let now = Instant::now();
    for group in upstreams.all() {
        let (view, label) = (group.view(now), group.label());
        let set = |name, value: usize| metrics.gauge(name, Some(("group", &label))).set(i64::try_from(value).unwrap_or(i64::MAX));
        set("upstream_endpoints", view.endpoints.len());
        set("upstream_endpoints_ready", view.ready);
    }
}
