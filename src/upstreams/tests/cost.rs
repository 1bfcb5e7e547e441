//! What the choice of an endpoint costs. Run by hand: `cargo test --lib upstreams::tests::cost -- --ignored --nocapture`.

use std::time::Instant;

use serde_json::json;

use super::{
    balancing::{choice, plain},
    world::Group,
};

/// Nanoseconds for one request's choice, the least of some rounds.
fn nanoseconds(group: &Group) -> u128 {
    let choice = choice(group, "x-user", "alice");
    let round = || {
        let begun = Instant::now();
        (0..20_000).for_each(|turn| assert!(group.select(choice).next(turn, begun).is_ok()));
        begun.elapsed().as_nanos() / 20_000
    };
    (0..5).map(|_| round()).min().unwrap_or_default()
}

#[test]
#[ignore = "prints nanoseconds; takes a release build on a quiet machine to mean anything"]
fn one_endpoint_or_ten_thousand_cost_a_request_the_same() {
    for strategy in ["round_robin", "least_requests", "ewma", "failover", "hash"] {
        let key = if strategy == "hash" { json!({ "header": "x-user" }) } else { json!(null) };
        let groups = [1, 10, 10_000].map(|count| plain(count, json!({ "balance": { "strategy": strategy, "key": key } })));
        let cost = groups.each_ref().map(|upstreams| nanoseconds(upstreams.group(0)));
        println!("{strategy}: {cost:?} ns for 1, 10 and 10,000 endpoints");
        assert!(cost[2] < 3 * cost[1].max(100), "{strategy}: {cost:?}");
    }
}
