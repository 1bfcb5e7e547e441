//! Leases under faults, in virtual time: the counters of this crate, a model of the store's script, and everything that can go wrong
//! between them. What passes is counted by the window that the store's clock shows at that moment.
//!
//! A thousand seeds and larger limits:
//! `cargo test --release -p tollgate-counters --test simulation -- --ignored --nocapture`; `TOLLGATE_SEEDS` sets another number.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod demand;
mod faults;
mod node;
mod store;
mod tally;
mod world;

use faults::Scenario;
use tally::Summary;
use tollgate_counters::Away;

const SEEDS: u64 = 50;

/// Runs a scenario with many seeds, and holds each window against its bound.
fn simulate(scenario: Scenario, away: Away, limit: u64, quotas: usize, seeds: u64) -> Summary {
    let mut summary = Summary::default();
    for seed in 1..=seeds {
        let tally = world::run(scenario, away, limit, quotas, seed);
        for (place, seen) in tally.windows() {
            assert!(
                seen.accepted <= limit + seen.epsilon,
                "{scenario:?}, {away:?}, seed {seed}, quota and window {place:?}: limit {limit}, {seen:?}"
            );
        }
        summary.add(&tally, limit);
    }
    println!("{scenario:?} {away:?} L = {limit}: {}", summary.row(limit));
    summary
}

#[test]
fn no_window_is_above_its_limit_without_faults_and_nearly_all_of_it_is_used() {
    for (limit, quotas) in [(5, 32), (200, 8)] {
        let summary = simulate(Scenario::Calm, Away::Strict, limit, quotas, SEEDS);
        assert_eq!((summary.over, summary.strays), (0, 0));
        assert!(summary.utilisation() >= 0.95, "{}", summary.row(limit));
    }
}

#[test]
fn no_window_is_above_its_limit_under_partitions_crashes_and_pauses() {
    for (limit, quotas) in [(5, 32), (200, 8)] {
        let summary = simulate(Scenario::Faults, Away::Strict, limit, quotas, SEEDS);
        assert_eq!((summary.over, summary.strays), (0, 0));
        assert!(summary.utilisation() >= 0.80, "it still serves: {}", summary.row(limit));
    }
}

#[test]
fn a_store_that_comes_back_empty_grants_hardly_anything_twice() {
    for (limit, quotas) in [(5, 32), (200, 8)] {
        let summary = simulate(Scenario::Loss, Away::Strict, limit, quotas, SEEDS);
        assert_eq!(summary.strays, 0);
        assert!(summary.over * 100 <= summary.windows, "{}", summary.row(limit));
    }
}

#[test]
fn a_copy_of_the_store_that_lags_grants_twice_at_most_what_it_had_not_seen() {
    for (limit, quotas) in [(5, 32), (200, 8)] {
        let summary = simulate(Scenario::FailOver, Away::Strict, limit, quotas, SEEDS);
        assert!(summary.over * 50 <= summary.windows, "{}", summary.row(limit));
    }
}

#[test]
fn shares_without_the_store_pass_at_most_as_they_are_reckoned() {
    let summary = simulate(Scenario::Faults, Away::Share, 200, 8, SEEDS);
    assert!(summary.over > 0, "no share was used");
}

/// Prints a table.
fn thousand(limit: u64) {
    let seeds = std::env::var("TOLLGATE_SEEDS").map_or(1_000, |seeds| seeds.parse().unwrap());
    for scenario in [Scenario::Calm, Scenario::Faults, Scenario::Loss, Scenario::FailOver] {
        let summary = simulate(scenario, Away::Strict, limit, 32, seeds);
        let exact = matches!(scenario, Scenario::Calm | Scenario::Faults);
        assert!(!exact || summary.over == 0);
        assert!(scenario != Scenario::Calm || summary.utilisation() >= 0.95);
        assert!(scenario == Scenario::FailOver || summary.strays == 0);
    }
    simulate(Scenario::Faults, Away::Share, limit, 32, seeds);
}

#[test]
#[ignore = "takes half a minute of a core with optimizations"]
fn a_thousand_seeds_with_a_limit_of_5() {
    thousand(5);
}

#[test]
#[ignore = "takes minutes"]
fn a_thousand_seeds_with_a_limit_of_200() {
    thousand(200);
}

#[test]
#[ignore = "takes many minutes"]
fn a_thousand_seeds_with_a_limit_of_1_000() {
    thousand(1_000);
}
