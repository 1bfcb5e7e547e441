//! A real etcd of three members that fails while requests run and endpoints change: no request is lost, and once a write is through, no
//! request that is sent a second later meets an older endpoint.
//!
//! `DISCOVERY_CHANGES` says how many changes are made at 167 a second; 1,500, where it is not set, and 10,000 are a minute of them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Reply, Settings, Upstream,
    parts::{EtcdCluster, PASSWORD, Partition, USER},
    project::{everything, open_api, operation},
    revoking::percentiles,
    until,
};

const KEY: &str = "/services/pets/1";
const PREFIX: &str = "/services/";

/// How old what a request meets may be.
const FRESH: Duration = Duration::from_secs(1);
/// How often the gateway asks whether it has heard everything; it gives up after three times this.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(2);

/// A request: when it was sent, and who answered or what went wrong.
pub type Asked = (Instant, Result<String, String>);

/// Requests all the time.
pub struct Load {
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub fn start(port: u16) -> Self {
        let (asked, over) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicBool>::default());
        let client = |_| {
            let (asked, over) = (asked.clone(), over.clone());
            thread::spawn(move || {
                let mut client = Client::connect(port);
                while !over.load(Ordering::SeqCst) {
                    let sent = Instant::now();
                    let answer = client.ask("GET", "/a/x", &[], b"").map_err(|error| error.to_string());
                    if answer.as_ref().is_ok_and(|answer| answer.field("connection") == Some("close")) {
                        client = Client::connect(port);
                    }
                    let who = answer.and_then(|answer| if answer.status() == 200 { Ok(answer.text()) } else { Err(answer.text()) });
                    asked.lock().unwrap().push((sent, who));
                    thread::sleep(PAUSE);
                }
            })
        };
        Self { clients: (0..3).map(client).collect(), asked, over }
    }

    /// Waits until requests were answered that were sent after a moment.
    fn passes(&self, moment: Instant) {
        until("requests", || self.asked.lock().unwrap().last().is_some_and(|(sent, _)| *sent > moment).then_some(()));
    }

    pub fn end(self) -> Vec<Asked> {
        self.over.store(true, Ordering::SeqCst);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        Arc::into_inner(self.asked).unwrap().into_inner().unwrap()
    }
}

struct World {
    cluster: EtcdCluster,
    gateway: Gateway,
    upstreams: [Upstream; 2],
    load: Load,
    /// Since when nobody but this upstream is to be met, until the next one.
    fresh: Vec<(Instant, usize)>,
}

impl World {
    /// A gateway that asks the members in this order, on these ports.
    fn start(cluster: EtcdCluster, ports: &[u16], more: Value) -> Self {
        let upstreams = ["0", "1"].map(|name| Upstream::answering(move |_| Reply::new(200, name)));
        let urls: Vec<_> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        let mut discovery = json!({ "endpoints": urls, "heartbeat": "1s" });
        discovery.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = json!({
            "stores": { "discovery": discovery },
            "endpoints": { "a:1": { "discovery": { "production": { "etcd": "/services/pets/" } } } },
        });
        cluster.put(KEY, &upstreams[0].url());
        let gateway = Gateway::serving(&open_api("/a", &upstreams[0].url(), everything()), Settings::of(config));
        let load = Load::start(gateway.ports.plain);
        Self { cluster, gateway, upstreams, load, fresh: Vec::new() }
    }

    fn write(&self, upstream: usize) {
        self.cluster.put(KEY, &self.upstreams[upstream].url());
    }

    /// From a second on, nobody but this upstream is met.
    fn settles(&mut self, upstream: usize) {
        let from = Instant::now() + FRESH;
        self.fresh.push((from, upstream));
        self.load.passes(from + Duration::from_millis(300));
    }

    /// As long as something is broken, only: requests go on, and meet the upstream in the end.
    fn reaches(&self, upstream: usize) {
        let name = upstream.to_string();
        until("the endpoint", || self.load.asked.lock().unwrap().last().is_some_and(|(_, who)| *who == Ok(name.clone())).then_some(()));
    }

    fn is_connected(&self, connected: bool) {
        let is = || self.gateway.metric("tollgate_discovery_connected") == Some(f64::from(u8::from(connected)));
        until("the gauge", || is().then_some(()));
    }

    /// Nothing was lost, and nothing was old.
    fn end(self) {
        let asked = self.load.end();
        for (number, (from, upstream)) in self.fresh.iter().enumerate() {
            // What is looked at ends where the next thing is done.
            let until = *from + Duration::from_millis(250);
            let seen = asked.iter().filter(|(sent, _)| sent > from && *sent < until);
            let wrong: Vec<_> = seen.filter(|(_, who)| *who != Ok(upstream.to_string())).map(|(_, who)| who).collect();
            assert!(wrong.is_empty(), "after change {number} to {upstream}: {wrong:?}");
        }
        let failed: Vec<_> = asked.iter().filter_map(|(_, who)| who.as_ref().err()).collect();
        assert!(failed.is_empty(), "{} of {} requests failed: {failed:?}", failed.len(), asked.len());
        println!("{} requests, none of them failed", asked.len());
    }
}

/// The ports, that of the leader first.
fn leader_first(cluster: &EtcdCluster) -> (usize, Vec<u16>) {
    let (leader, mut ports) = (cluster.leader(), cluster.ports());
    ports.rotate_left(leader);
    (leader, ports)
}

#[test]
fn when_the_leader_is_killed_or_stops_no_request_is_lost_and_the_next_write_is_met_a_second_after_it() {
    let cluster = EtcdCluster::start();
    let (leader, ports) = leader_first(&cluster);
    let mut world = World::start(cluster, &ports, json!({}));
    world.settles(0);
    world.cluster.kill(leader);
    world.write(1);
    world.settles(1);
    world.cluster.restart(leader);
    world.write(0);
    world.settles(0);
    let next = world.cluster.leader();
    world.cluster.freeze(next);
    world.write(1);
    // The gateway may be with the member that says nothing any more.
    world.reaches(1);
    world.cluster.thaw(next);
    world.write(0);
    world.settles(0);
    world.end();
}

#[test]
fn when_all_members_are_killed_and_start_again_no_request_is_lost_and_the_next_write_is_met_a_second_after_it() {
    let cluster = EtcdCluster::start();
    let ports = cluster.ports();
    let mut world = World::start(cluster, &ports, json!({}));
    world.settles(0);
    (0..ports.len()).for_each(|member| world.cluster.kill(member));
    world.is_connected(false);
    world.cluster.restart_all();
    world.write(1);
    world.settles(1);
    world.is_connected(true);
    world.end();
}

#[test]
fn what_changed_behind_a_partition_is_met_a_second_after_it_also_when_its_history_was_compacted() {
    let cluster = EtcdCluster::start();
    let networks: Vec<_> = cluster.ports().into_iter().map(Partition::before).collect();
    let ports: Vec<_> = networks.iter().map(|network| network.port).collect();
    let mut world = World::start(cluster, &ports, json!({}));
    for (round, compacted) in [false, true].into_iter().enumerate() {
        let upstream = 1 - round;
        world.settles(round);
        networks.iter().for_each(Partition::cut);
        world.write(upstream);
        if compacted {
            let mut writer = world.cluster.writer(0);
            let revision = (0..50).fold(0, |_, number| writer.put(&format!("{PREFIX}other/{number}"), ""));
            writer.compact(revision);
        }
        world.is_connected(false);
        networks.iter().for_each(Partition::heal);
        world.settles(upstream);
        world.is_connected(true);
    }
    world.end();
}

#[test]
fn tokens_of_users_that_end_lose_neither_the_watch_nor_a_listing_nor_the_next_connection() {
    const LIFE: u32 = 1;
    let mut cluster = EtcdCluster::with_tokens(LIFE);
    cluster.demand_users(USER, PASSWORD, PREFIX);
    let folder = Folder::new();
    let password = format!("${{file:{}}}", folder.write("password", PASSWORD).display());
    let (leader, ports) = leader_first(&cluster);
    let mut world = World::start(cluster, &ports, json!({ "username": USER, "password": password, "relist": "1s" }));
    world.settles(0);
    let begun = Instant::now();
    world.load.passes(begun + Duration::from_secs(u64::from(LIFE)) * 3);
    assert_eq!(world.gateway.metric("tollgate_discovery_connected"), Some(1.0));
    world.write(1);
    world.settles(1);
    world.cluster.kill(leader);
    world.write(0);
    world.settles(0);
    let said = world.gateway.stderr();
    assert!(!said.contains("invalid auth token") && !said.contains(PASSWORD), "{said}");
    world.end();
}

#[test]
fn many_changes_a_second_are_met_at_once_and_lose_no_request() {
    let changes: usize = std::env::var("DISCOVERY_CHANGES").map_or(1500, |changes| changes.parse().unwrap());
    let (every, cluster) = (Duration::from_millis(6), EtcdCluster::start());
    let upstreams: Vec<_> = ["0", "1", "2", "3"].into_iter().map(|name| Upstream::answering(move |_| Reply::new(200, name))).collect();
    let url = |number: usize| upstreams[number % upstreams.len()].url();
    let mut definition = open_api("/a", &url(0), everything());
    definition["x-wso2-endpoints"] = json!([{ "probe": { "urls": [url(0)] } }]);
    let mut probe = operation();
    probe["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/probe".into();
    definition["paths"]["/probe"] = json!({ "get": probe });
    let of = |etcd: &str| json!({ "discovery": { "production": { "etcd": etcd } } });
    let urls: Vec<_> = cluster.ports().iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
    let config = json!({
        "stores": { "discovery": { "endpoints": urls, "heartbeat": "1s", "relist": "2s" } },
        "endpoints": { "a:1": of("/services/pets/"), "probe": of("/services/probe") },
    });
    let gateway = Gateway::serving(&definition, Settings::of(config));
    let load = Load::start(gateway.ports.plain);
    let (mut writer, mut client) = (cluster.writer(0), gateway.connect());
    let (begun, mut revision, mut times) = (Instant::now(), 0, Vec::new());
    for number in 0..changes {
        let value = json!({ "url": url(number), "weight": number % 7 + 1, "zone": format!("z{}", number % 3) });
        revision = writer.put(&format!("/services/pets/{}", number % 10), &value.to_string());
        if number % 100 == 99 {
            writer.compact(revision);
        }
        if number % 25 == 24 {
            let (next, written) = (number / 25 % upstreams.len(), Instant::now());
            writer.put("/services/probe", &url(next));
            let who = || client.ask("GET", "/a/probe", &[], b"").unwrap().text();
            let mut who = who;
            until("the probe", || (who() == next.to_string()).then_some(()));
            times.push(written.elapsed());
        }
        let due = every * u32::try_from(number + 1).unwrap();
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    let took = begun.elapsed();
    for number in 0..10 {
        writer.put(&format!("/services/pets/{number}"), &url(3));
    }
    let from = Instant::now() + FRESH;
    load.passes(from + Duration::from_millis(300));
    assert_eq!(gateway.metric("tollgate_discovery_differences_total"), Some(0.0), "{revision}");
    let asked = load.end();
    let failed: Vec<_> = asked.iter().filter_map(|(_, who)| who.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), asked.len());
    let old: Vec<_> = asked.iter().filter(|(sent, who)| *sent > from && *who != Ok("3".to_owned())).collect();
    assert!(old.is_empty(), "{old:?}");
    let (median, p99) = percentiles(times);
    println!(
        "{changes} changes in {took:?}, {} requests; from a write to the first request that meets it: median {median:?}, p99 {p99:?}",
        asked.len()
    );
    assert!(median < Duration::from_millis(100) && p99 < FRESH, "{median:?} {p99:?}");
}

#[test]
fn the_gateway_gives_up_a_silent_member_no_later_than_it_says() {
    let cluster = EtcdCluster::start();
    let (leader, ports) = leader_first(&cluster);
    let world = World::start(cluster, &ports, json!({}));
    world.is_connected(true);
    let begun = Instant::now();
    world.cluster.freeze(leader);
    world.is_connected(false);
    assert!(begun.elapsed() < HEARTBEAT * 3 + FRESH, "{:?}", begun.elapsed());
    world.cluster.thaw(leader);
    world.is_connected(true);
    world.end();
}
