//! Short windows, one after the other, while things go wrong. Store and gateways have one clock here, so each request's window is known.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use tokio::{task::JoinHandle, time::sleep};
use tollgate_counters::Away;
use tollgate_lender::Settings;
use tollgate_tests::parts::{Partition, Redis};

use super::gateway::{Ended, Gateway};

const LIMIT: u64 = 200;
/// In seconds.
const WINDOW: u64 = 2;

/// How many have passed in each window.
type Passed = Arc<Mutex<BTreeMap<u64, u64>>>;

/// A gateway under load. When it ends it crashes: what it held is lost.
struct Loaded {
    over: Arc<AtomicBool>,
    askers: Vec<JoinHandle<()>>,
}

impl Loaded {
    fn start(url: String, away: Away, passed: &Passed) -> Self {
        let gateway = Arc::new(Gateway::with_windows(Settings::new(url), LIMIT, WINDOW, away));
        let over = Arc::<AtomicBool>::default();
        let asker = || {
            let (gateway, over, passed) = (gateway.clone(), over.clone(), passed.clone());
            tokio::spawn(async move {
                while !over.load(SeqCst) {
                    let (ended, at) = gateway.request_when(gateway.name).await;
                    if ended == Ended::Passed {
                        let window = at.duration_since(UNIX_EPOCH).unwrap().as_secs() / WINDOW;
                        *passed.lock().unwrap().entry(window).or_default() += 1;
                    }
                    sleep(Duration::from_millis(3)).await;
                }
            })
        };
        let askers = (0..4).map(|_| asker()).collect();
        Self { over, askers }
    }

    async fn crash(self) {
        self.over.store(true, SeqCst);
        for asker in self.askers {
            asker.await.unwrap();
        }
    }
}

/// Four gateways, two of them behind networks that can be cut.
struct World {
    redis: Redis,
    networks: [Partition; 2],
    gateways: Vec<Loaded>,
    away: Away,
    passed: Passed,
}

impl World {
    fn start(away: Away) -> Self {
        let (redis, passed) = (Redis::start(), Passed::default());
        let networks = [Partition::before(redis.port), Partition::before(redis.port)];
        let urls = [redis.port, redis.port, networks[0].port, networks[1].port].map(|port| format!("redis://127.0.0.1:{port}"));
        let gateways = urls.into_iter().map(|url| Loaded::start(url, away, &passed)).collect();
        Self { redis, networks, gateways, away, passed }
    }

    async fn crash_one(&mut self) {
        self.gateways.remove(0).crash().await;
        self.gateways.insert(0, Loaded::start(self.redis.url(), self.away, &self.passed));
    }

    /// What passed in each window.
    async fn end(self) -> Vec<u64> {
        for gateway in self.gateways {
            gateway.crash().await;
        }
        let passed = self.passed.lock().unwrap().values().copied().collect::<Vec<_>>();
        println!("{passed:?} of {LIMIT}");
        passed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_window_exceeds_the_limit_while_the_store_pauses_networks_break_and_gateways_crash() {
    let mut world = World::start(Away::Strict);
    sleep(Duration::from_secs(2 * WINDOW)).await;
    for round in 0..3 {
        world.redis.freeze();
        sleep(Duration::from_millis(400)).await;
        world.redis.thaw();
        sleep(Duration::from_millis(300)).await;
        world.networks[round % 2].cut();
        sleep(Duration::from_millis(700)).await;
        world.crash_one().await;
        world.networks[round % 2].heal();
        world.redis.cli(&["SCRIPT", "FLUSH"]);
        sleep(Duration::from_millis(600)).await;
    }
    sleep(Duration::from_secs(WINDOW)).await;
    let passed = world.end().await;
    assert!(passed.iter().all(|passed| *passed <= LIMIT), "{passed:?} of {LIMIT}");
    let used = passed.iter().filter(|passed| **passed > LIMIT * 3 / 4).count();
    assert!(used >= 2, "the limit was hardly reached: {passed:?} of {LIMIT}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_restarts_empty_lets_no_window_pass_more_than_twice_the_limit() {
    let mut world = World::start(Away::Strict);
    sleep(Duration::from_secs(2 * WINDOW)).await;
    for _ in 0..3 {
        world.redis.kill();
        sleep(Duration::from_millis(300)).await;
        world.redis.restart();
        sleep(Duration::from_millis(1400)).await;
    }
    let passed = world.end().await;
    let total = passed.iter().sum::<u64>();
    assert!(passed.iter().all(|passed| *passed <= 2 * LIMIT), "{passed:?} of {LIMIT}");
    // Every gateway reports what it knows, in time for the store.
    assert!(passed.iter().filter(|passed| **passed > LIMIT * 11 / 10).count() <= 1, "{passed:?} of {LIMIT}");
    assert!(total > LIMIT * 2, "{passed:?} of {LIMIT}");
}
