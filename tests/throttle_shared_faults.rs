//! A limit that four gateways share, under load, while the store and the ways to it fail. The upstream counts.
//!
//! Everything runs by one clock, so the window in which a request was sent and the one in which it arrived are known. When they are the same, the
//! request was let through in it. The few that arrive in the window after the one in which they were sent may belong to either; so rows of
//! windows are judged, too, in which nearly all of these are counted.

use std::{thread::sleep, time::Duration};

use serde_json::json;
use tollgate_tests::{
    Fleet,
    fleet::{Call, Load, since_1970},
    parts::{Partition, Redis},
    until,
};

const LIMIT: usize = 200;
/// In seconds.
const WINDOW: u64 = 2;
const GATEWAYS: usize = 4;
/// What one gateway lets pass on its own.
const SHARE: usize = LIMIT / GATEWAYS;
/// The gateways whose network can be cut.
const FAR: [usize; 2] = [2, 3];
/// How much longer than one without a limit a request may take: it waits for 50 ms, and the machine may be busy just then. A request that
/// waited for as long as the store pauses would exceed it.
const LONGER: Duration = Duration::from_millis(500);

/// Four gateways under load.
struct World {
    redis: Redis,
    networks: [Partition; FAR.len()],
    fleet: Fleet,
    load: Load,
}

/// What has come of it.
struct Ended {
    fleet: Fleet,
    calls: Vec<Call>,
}

impl World {
    fn start(shared: &str, options: &[&str]) -> Self {
        let redis = Redis::with(options);
        let networks = FAR.map(|_| Partition::before(redis.port));
        let ports = [redis.port, redis.port, networks[0].port, networks[1].port];
        let stores = ports.map(|port| json!({ "urls": [format!("redis://127.0.0.1:{port}")] }));
        let policy = json!({ "requests": LIMIT, "per": format!("{WINDOW}s"), "shared": shared });
        let fleet = Fleet::start(&stores, &policy).together();
        let load = fleet.load();
        windows(1);
        Self { redis, networks, fleet, load }
    }

    /// Everything is whole again, and every gateway finds that out by itself.
    fn end(self) -> Ended {
        self.fleet.connected(true);
        for gateway in 0..GATEWAYS {
            until("a request to pass again", || (self.fleet.ask(gateway).status() == 200).then_some(()));
        }
        Ended { calls: self.load.end(), fleet: self.fleet }
    }
}

impl Ended {
    /// No window has more than so much, nor has any row of windows.
    fn keeps(&self, limit: usize) {
        let surely = self.fleet.surely(WINDOW);
        for ((from, to), passed) in &surely {
            let windows = usize::try_from(to - from + 1).unwrap();
            assert!(*passed <= windows * limit, "{passed} passed in {windows} windows of {limit}: {surely:?}");
        }
    }

    /// What surely passed in each window.
    fn passed(&self) -> Vec<usize> {
        self.fleet.surely(WINDOW).into_iter().filter(|((from, to), _)| from == to).map(|(_, passed)| passed).collect()
    }

    /// The load was enough to use the limit up, a request waits for the store no longer than it may, and all others do not notice.
    fn is_usable(&self) {
        let used = self.passed().iter().filter(|passed| **passed > LIMIT * 3 / 4).count();
        assert!(used >= 2, "the limit was hardly reached: {:?}", self.passed());
        assert!(self.calls.iter().all(|call| call.status == 200 || (call.limited && matches!(call.status, 429 | 503))));
        let slowest = |limited| self.calls.iter().filter(|call| call.limited == limited).map(|call| call.took).max().unwrap();
        println!("the slowest took {:?}, without a limit {:?}", slowest(true), slowest(false));
        assert!(slowest(true) < slowest(false) + LONGER);
    }

    /// The statuses of a gateway's requests with a limit that were sent in whole windows between these two moments.
    fn statuses(&self, gateway: usize, (from, to): (Duration, Duration)) -> Vec<u16> {
        let whole = from.as_secs() / WINDOW + 1..to.as_secs() / WINDOW;
        let calls =
            self.calls.iter().filter(|call| call.limited && call.gateway == gateway && whole.contains(&(call.at.as_secs() / WINDOW)));
        calls.map(|call| call.status).collect()
    }
}

/// Lets so many windows go by, and says when that was.
fn windows(number: u64) -> (Duration, Duration) {
    let from = since_1970();
    sleep(Duration::from_secs(number * WINDOW));
    (from, since_1970())
}

#[test]
fn no_window_exceeds_the_limit_while_the_store_pauses_or_crashes_and_keeps_what_it_granted() {
    let mut world = World::start("strict", &["--appendonly", "yes", "--appendfsync", "always"]);
    for _ in 0..3 {
        world.redis.freeze();
        sleep(Duration::from_millis(700));
        world.redis.thaw();
        sleep(Duration::from_millis(1300));
        world.redis.kill();
        sleep(Duration::from_millis(400));
        world.redis.restart();
        sleep(Duration::from_millis(1600));
    }
    let ended = world.end();
    ended.keeps(LIMIT);
    ended.is_usable();
}

#[test]
fn no_window_exceeds_the_limit_while_gateways_are_cut_off_and_these_let_nothing_pass() {
    let world = World::start("strict", &[]);
    world.networks[0].cut();
    sleep(Duration::from_millis(300));
    world.networks[1].cut();
    let cut = windows(3);
    world.networks.iter().for_each(Partition::heal);
    windows(1);
    for network in &world.networks {
        network.cut();
        sleep(Duration::from_millis(500));
        network.heal();
        sleep(Duration::from_millis(500));
    }
    let ended = world.end();
    ended.keeps(LIMIT);
    ended.is_usable();
    for gateway in FAR {
        let statuses = ended.statuses(gateway, cut);
        assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 503), "{statuses:?}");
    }
}

#[test]
fn a_store_that_restarts_empty_lets_no_window_pass_more_than_it_had_granted_before_and_usually_no_more_than_the_limit() {
    let mut world = World::start("strict", &[]);
    for _ in 0..4 {
        // Part of the limit is granted by then: when all is, every gateway knows it and asks no more.
        let edge = Duration::from_secs((since_1970().as_secs() / WINDOW + 1) * WINDOW);
        sleep((edge + Duration::from_millis(70)).saturating_sub(since_1970()));
        world.redis.restart();
        windows(1);
    }
    let ended = world.end();
    ended.is_usable();
    // What was granted before is the limit at most.
    let passed = ended.passed();
    println!("{passed:?} of {LIMIT}");
    assert!(passed.iter().all(|passed| *passed <= 2 * LIMIT), "{passed:?}");
    // Each gateway reports what it has seen before anything is granted anew.
    assert!(passed.iter().filter(|passed| **passed > LIMIT * 11 / 10).count() <= 1, "{passed:?}");
}

#[test]
fn while_the_store_is_away_each_gateway_lets_its_share_pass_and_no_more() {
    let mut world = World::start("share", &[]);
    world.networks.iter().for_each(Partition::cut);
    let cut = windows(3);
    world.networks.iter().for_each(Partition::heal);
    world.fleet.connected(true);
    let healed = since_1970();
    // A gateway whose call was late on a busy machine was cut off, too.
    let late = |gateway: &usize| world.fleet.gateways[*gateway].metric("tollgate_quota_store_failures_total") != Some(0.0);
    let cut_off = (0..GATEWAYS).filter(|gateway| FAR.contains(gateway) || late(gateway)).count();
    windows(1);
    world.redis.kill();
    let gone = windows(3);
    world.redis.restart();
    let ended = world.end();
    ended.is_usable();
    let number = |at: Duration| at.as_secs() / WINDOW;
    for ((window, _), passed) in ended.fleet.surely(WINDOW).into_iter().filter(|((from, to), _)| from == to) {
        let most = match window {
            // Nobody can ask anything.
            window if (number(gone.0) + 1..number(gone.1)).contains(&window) => GATEWAYS * SHARE,
            window if (number(cut.0)..=number(healed)).contains(&window) => LIMIT + 2 * cut_off * SHARE,
            _ => LIMIT + 2 * GATEWAYS * SHARE,
        };
        assert!(passed <= most, "{passed} passed of {most}");
    }
    for (gateway, outage) in FAR.map(|gateway| (gateway, cut)).into_iter().chain((0..GATEWAYS).map(|gateway| (gateway, gone))) {
        let statuses = ended.statuses(gateway, outage);
        let passed = statuses.iter().filter(|status| **status == 200).count();
        // In three windows at most, and a few requests that were sent in the last and decided after it.
        assert!((1..=3 * SHARE + 4).contains(&passed), "gateway {gateway}: {passed} of {}", statuses.len());
    }
}
