//! What may happen to one server.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use tollgate_counters::Away;
use tollgate_lender::Settings;
use tollgate_tests::parts::{Partition, Redis};

use super::{
    gateway::{Ended, Gateway, PATIENCE, until},
    single::{QUOTA, granted},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_paused_is_left_alone_and_found_again() {
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), 100_000, Away::Strict).connected().await;
    gateway.pass(100).await;
    redis.freeze();
    let mut waits = Vec::new();
    until("the loss to show", || !gateway.seen.connected.load(SeqCst)).await;
    for _ in 0..50 {
        let begun = Instant::now();
        gateway.request().await;
        waits.push(begun.elapsed());
    }
    waits.sort_unstable();
    assert!(waits[25] < Duration::from_millis(5), "while it is left alone nobody waits: {waits:?}");
    assert!(waits[49] < PATIENCE * 4, "{waits:?}");
    redis.thaw();
    until("the server to be found again", || gateway.seen.connected.load(SeqCst)).await;
    gateway.pass(100).await;
    assert!(gateway.seen.failures.load(SeqCst) > 0);
    assert_eq!(gateway.seen.unsound.load(SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_a_server_that_just_paused_no_longer_than_the_time_limit() {
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), 1_000_000, Away::Strict).connected().await;
    // Credits are left over, so a quota is asked for of which nothing is here.
    gateway.pass(1).await;
    redis.freeze();
    let begun = Instant::now();
    let fresh = gateway.counters.shared_key(&gateway.policy, &[b"fresh"]);
    assert_eq!(gateway.request_of(fresh).await, Ended::Away);
    assert!(begun.elapsed() < PATIENCE * 4, "{:?}", begun.elapsed());
    redis.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_empty_is_told_what_was_granted_before_it_grants_more() {
    const LIMIT: u64 = 3000;
    let mut redis = Redis::start();
    let first = Gateway::start(Settings::new(redis.url()), LIMIT, Away::Strict).connected().await;
    let second = Gateway::start(Settings::new(redis.url()), LIMIT, Away::Strict).connected().await;
    second.pass(10).await;
    let mut passed = 10;
    // The second knows nothing of what the first was granted since.
    let before = granted(&redis);
    while granted(&redis) < before + LIMIT / 10 {
        first.pass(10).await;
        passed += 10;
    }
    redis.kill();
    until("the loss to show", || !first.seen.connected.load(SeqCst) && !second.seen.connected.load(SeqCst)).await;
    redis.restart();
    passed += second.use_up().await;
    passed += first.use_up().await;
    assert!((LIMIT / 2..=LIMIT).contains(&passed), "{passed} of {LIMIT}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_emptied_under_a_standing_connection_is_told_again() {
    const LIMIT: u64 = 400;
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), LIMIT, Away::Strict).connected().await;
    let mut passed = 0;
    for _ in 0..3 {
        gateway.pass(50).await;
        passed += 50;
        redis.cli(&["FLUSHALL"]);
        let reported = || redis.keys(QUOTA).first().is_some_and(|key| redis.cli(&["GET", key]).parse::<u64>().unwrap() >= passed);
        until("the report", reported).await;
    }
    passed += gateway.use_up().await;
    assert!(passed <= LIMIT, "{passed} of {LIMIT}");
    assert!(gateway.seen.stands());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_partition_each_gateway_has_its_share_and_no_more() {
    const LIMIT: u64 = 1000;
    let redis = Redis::start();
    let network = Partition::before(redis.port);
    let settings = Settings::new(format!("redis://127.0.0.1:{}", network.port));
    let cut_off = Gateway::start(settings, LIMIT, Away::Share).connected().await;
    let near = Gateway::start(Settings::new(redis.url()), LIMIT, Away::Share).connected().await;
    until("both to be counted", || cut_off.seen.gateways.load(SeqCst) == 2 && near.seen.gateways.load(SeqCst) == 2).await;
    network.cut();
    until("the loss to show", || !cut_off.seen.connected.load(SeqCst)).await;
    let mut alone = 0;
    while cut_off.request().await == Ended::Passed {
        alone += 1;
    }
    assert!(alone > 0 && alone <= LIMIT / 2, "{alone} passed without the store");
    let passed = near.use_up().await;
    assert!((LIMIT * 9 / 10..=LIMIT).contains(&passed), "{passed} passed by the store");
    network.heal();
    until("the store to be found again", || cut_off.seen.connected.load(SeqCst)).await;
    assert_eq!(cut_off.use_up().await, 0, "and nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_is_told_what_the_one_before_had_granted() {
    const LIMIT: u64 = 1000;
    let (before, after) = (Redis::start(), Redis::start());
    let mut gateway = Gateway::start(Settings::new(before.url()), LIMIT, Away::Strict).connected().await;
    gateway.pass(300).await;
    gateway.use_settings(Settings::new(after.url()));
    until("the other store", || gateway.seen.connected.load(SeqCst)).await;
    let passed = 300 + gateway.use_up().await;
    assert!((LIMIT / 2..=LIMIT).contains(&passed), "{passed} of {LIMIT}");
    assert_eq!(granted(&after), LIMIT);
}
