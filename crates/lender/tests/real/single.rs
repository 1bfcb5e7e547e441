//! One server that is well.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use tollgate_counters::Away;
use tollgate_filter_api::Secret;
use tollgate_lender::{ClientCertificate, Settings};
use tollgate_tests::{Folder, certificates::Authority, parts::Redis};

use super::gateway::{Ended, Gateway, until};

/// The keys of quotas.
pub const QUOTA: &str = "tollgate:{tg*}:????????????????????????????????:*";

/// What the store has granted in all.
pub fn granted(redis: &Redis) -> u64 {
    let keys = redis.keys(QUOTA);
    assert_eq!(keys.len(), 1, "{keys:?}");
    redis.cli(&["GET", &keys[0]]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_askers_of_four_gateways_that_race_pass_as_often_as_the_limit_says() {
    const LIMIT: u64 = 3000;
    let redis = Redis::start();
    let mut gateways = Vec::new();
    for _ in 0..4 {
        gateways.push(Arc::new(Gateway::start(Settings::new(redis.url()), LIMIT, Away::Strict).connected().await));
    }
    let askers = (0..32).map(|number| {
        let gateway: Arc<Gateway> = gateways[number % 4].clone();
        tokio::spawn(async move { gateway.use_up().await })
    });
    let mut passed = 0;
    for asker in askers.collect::<Vec<_>>() {
        passed += asker.await.unwrap();
    }
    assert_eq!(granted(&redis), LIMIT);
    // An answer that came too late was granted, and nobody has it.
    assert!((LIMIT * 9 / 10..=LIMIT).contains(&passed), "{passed} of {LIMIT}");
    let calls = gateways.iter().map(|gateway| gateway.seen.answers.load(SeqCst)).sum::<usize>();
    println!("{passed} of {LIMIT} passed, by {calls} calls");
    until("each to know of the others", || gateways.iter().all(|gateway| gateway.seen.gateways.load(SeqCst) == 4)).await;
    assert!(gateways.iter().all(|gateway| gateway.seen.unsound.load(SeqCst) == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot_the_script_is_told_it_again_in_the_same_call() {
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), 1000, Away::Strict).connected().await;
    gateway.pass(1).await;
    for number in 0..3_u8 {
        redis.cli(&["SCRIPT", "FLUSH"]);
        // Of which nothing is here.
        let fresh = gateway.counters.shared_key(&gateway.policy, &[&[number]]);
        gateway.pass_of(fresh, 1).await;
    }
    assert!(gateway.seen.stands());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_place_of_one_quota_does_not_stop_another() {
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), 1000, Away::Strict).connected().await;
    gateway.pass(1).await;
    let key = redis.keys(QUOTA).remove(0);
    redis.cli(&["DEL", &key]);
    redis.cli(&["LPUSH", &key, "a list"]);
    let other = gateway.counters.shared_key(&gateway.policy, &[b"another"]);
    until("the wrong key to show", || {
        gateway.decide(gateway.name);
        gateway.seen.unsound.load(SeqCst) > 0
    })
    .await;
    assert_eq!(gateway.request_of(other).await, Ended::Passed);
    assert!(gateway.seen.stands());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_that_is_none_or_that_has_not_begun_begins_anew() {
    let redis = Redis::start();
    let gateway = Gateway::start(Settings::new(redis.url()), 1000, Away::Strict).connected().await;
    gateway.pass(1).await;
    let tag = redis.keys(QUOTA)[0].split(':').nth(1).unwrap().to_owned();
    for (life, caller) in [("99999999999999", b"clock"), ("nonsense", b"other")] {
        redis.cli(&["SET", &format!("tollgate:{tag}:life"), life]);
        // A quota of the same tag, of which nothing is here.
        let quotas = (0_u32..).map(|number| gateway.counters.shared_key(&gateway.policy, &[caller, &number.to_be_bytes()]));
        let tagged = |id: &[u8; 16]| format!("{{tg{:02}}}", id.iter().fold(0, |all, byte| all ^ byte) % 64);
        let fresh = quotas.into_iter().find(|(_, quota)| tagged(&quota.0) == tag).unwrap();
        gateway.pass_of(fresh, 1).await;
    }
    assert!(gateway.seen.stands());
    assert_eq!(gateway.seen.unsound.load(SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_and_certificates_are_shown_and_wrong_ones_are_named() {
    let (authority, other, folder) = (Authority::new("redis"), Authority::new("other"), Folder::new());
    let own = authority.issue("n1", 2, &["127.0.0.1"]);
    let client = authority.issue("gateway", 3, &[]);
    let redis = Redis::secure(&authority, &own, &client);
    let commands =
        "+evalsha +script|load +role +info +config|get +time +get +set +incrby +pexpireat +zadd +zremrangebyscore +pexpire +zcard";
    redis.cli(&["ACL", "SETUSER", "shop", "on", ">pa:ss word", "~tollgate:*"].into_iter().chain(commands.split(' ')).collect::<Vec<_>>());
    let (certificate, key) = client.write(&folder, "client");
    let mut good = Settings::new(redis.url());
    good.ca = Some(authority.write(&folder, "ca.pem"));
    good.client_certificate = Some(ClientCertificate { certificate, key });
    (good.username, good.password) = (Some("shop".into()), Some(Secret::new("pa:ss word")));
    let gateway = Gateway::start(good.clone(), 100, Away::Strict).connected().await;
    gateway.pass(1).await;

    let named = async |what: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        let gateway = Gateway::start(settings, 100, Away::Share);
        until(what, || !gateway.seen.causes.lock().unwrap().is_empty()).await;
        let causes = gateway.seen.causes.lock().unwrap().join("; ");
        assert!(causes.contains(what) && !causes.contains("pa:ss"), "{causes}");
        assert!(!gateway.seen.connected.load(SeqCst));
        assert_eq!(gateway.request().await, Ended::Away, "nobody knows how many there are, so nobody has a share");
    };
    named("credentials were refused", &|settings| settings.password = Some(Secret::new("wrong"))).await;
    named("certificate is not accepted", &|settings| settings.ca = Some(other.write(&folder, "other.pem"))).await;
    named("rediss://127.0.0.1", &|settings| settings.client_certificate = None).await;
    named("rediss://localhost", &|settings| settings.urls = vec![settings.urls[0].replace("127.0.0.1", "localhost")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_keys_is_warned_of() {
    let quiet = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    let evicting = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let silent = Redis::start();
    silent.cli(&["ACL", "SETUSER", "default", "-config"]);
    for (redis, warning) in [(&quiet, None), (&evicting, Some("allkeys-lru")), (&silent, Some("allow CONFIG GET"))] {
        let gateway = Gateway::start(Settings::new(redis.url()), 100, Away::Strict).connected().await;
        gateway.pass(1).await;
        let advice = gateway.seen.advice.lock().unwrap().clone();
        assert_eq!(advice.len(), usize::from(warning.is_some()), "{advice:?}");
        assert!(advice.iter().all(|advice| advice.contains(warning.unwrap_or_default())), "{advice:?}");
    }
}
