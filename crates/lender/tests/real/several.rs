//! Several servers: a cluster, and a master that sentinels watch.

use std::sync::atomic::Ordering::SeqCst;

use tollgate_counters::Away;
use tollgate_lender::{Mode, Settings};
use tollgate_tests::parts::{RedisCluster, RedisSentinel};

use super::{
    gateway::{Ended, Gateway, until},
    single::QUOTA,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_three_masters_keeps_the_quotas_of_all_tags() {
    const QUOTAS: u32 = 150;
    const LIMIT: u64 = 8;
    let mut cluster = RedisCluster::start();
    let settings = Settings { urls: cluster.urls(), mode: Mode::Cluster, ..Settings::new("redis://unused") };
    let first = Gateway::start(settings.clone(), LIMIT, Away::Strict).connected().await;
    let second = Gateway::start(settings, LIMIT, Away::Strict).connected().await;
    let mut passed = Vec::new();
    for number in 0..QUOTAS {
        let mut both = 0;
        for gateway in [&first, &second] {
            both += gateway.use_up_of(gateway.counters.shared_key(&gateway.policy, &[&number.to_be_bytes()])).await;
        }
        passed.push(both);
    }
    assert!(passed.iter().all(|passed| *passed <= LIMIT), "{passed:?}");
    // What came too late on a loaded machine is lost to its quota.
    let whole = passed.iter().filter(|passed| **passed == LIMIT).count();
    assert!(whole > passed.len() / 2, "only {whole} of {} quotas were used up", passed.len());
    for node in &cluster.0 {
        assert!(node.keys(QUOTA).len() > 20, "each holds its part");
    }

    // Without one of them, the quotas of the others are kept.
    cluster.0[2].kill();
    until("the loss to show", || !first.seen.connected.load(SeqCst)).await;
    let mut ends = Vec::new();
    for number in 0..100_u32 {
        let name = first.counters.shared_key(&first.policy, &[b"later", &number.to_be_bytes()]);
        ends.push(first.request_of(name).await);
    }
    let passing = ends.iter().filter(|ended| **ended == Ended::Passed).count();
    let away = ends.iter().filter(|ended| **ended == Ended::Away).count();
    assert!(passing > 30 && away > 10, "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_slot_moves_its_quotas_are_asked_for_at_the_new_master() {
    let cluster = RedisCluster::start();
    let settings = Settings { urls: cluster.urls(), mode: Mode::Cluster, ..Settings::new("redis://unused") };
    let gateway = Gateway::start(settings, 1000, Away::Strict).connected().await;
    gateway.pass(50).await;
    let holds = |index: usize| cluster.0[index].keys(QUOTA).first().cloned();
    let from = (0..3).find(|index| holds(*index).is_some()).unwrap();
    let to = (from + 1) % 3;
    let key = holds(from).unwrap();
    let slot = cluster.0[from].cli(&["CLUSTER", "KEYSLOT", &key]);
    let names = [from, to].map(|index| cluster.0[index].cli(&["CLUSTER", "MYID"]));
    cluster.0[to].cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &names[0]]);
    cluster.0[from].cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &names[1]]);
    for key in cluster.0[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).lines() {
        cluster.0[from].cli(&["MIGRATE", "127.0.0.1", &cluster.0[to].port.to_string(), key, "0", "5000"]);
    }
    for node in &cluster.0 {
        node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &names[1]]);
    }
    let passed = 50 + gateway.use_up().await;
    assert!((900..=1000).contains(&passed), "{passed} of 1000");
    assert_eq!(cluster.0[to].cli(&["GET", &key]), "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_over_is_found_and_keeps_the_limit() {
    const LIMIT: u64 = 500;
    let mut store = RedisSentinel::start();
    let mode = Mode::Sentinel { master: RedisSentinel::NAME.into(), password: None };
    let settings = Settings { urls: vec![store.url()], mode, ..Settings::new("redis://unused") };
    let first = Gateway::start(settings.clone(), LIMIT, Away::Strict).connected().await;
    let second = Gateway::start(settings, LIMIT, Away::Strict).connected().await;
    first.pass(100).await;
    second.pass(100).await;
    store.master.kill();
    until("the loss to show", || !first.seen.connected.load(SeqCst) && !second.seen.connected.load(SeqCst)).await;
    until("the replica to be found", || first.seen.connected.load(SeqCst) && second.seen.connected.load(SeqCst)).await;
    assert!(store.replica.cli(&["ROLE"]).starts_with("master"));
    let passed = 200 + first.use_up().await + second.use_up().await;
    assert!((LIMIT * 3 / 4..=LIMIT).contains(&passed), "{passed} of {LIMIT}");
}
