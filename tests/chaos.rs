//! Revocations while everything around the gateway fails, under load: once a revocation is in force its token never passes
//! again, nothing that is good is refused, and whatever is degraded shows.
//!
//! `CHAOS_ROUNDS` says how often everything fails; once, where it is not set.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Revoking, client,
    parts::{ActiveMq, Etcd, PASSWORD, Partition, USER, activemq::Publisher},
    revoking::percentiles,
    until,
};

/// Requests all the time: with tokens that are good, and with such as are known to be revoked.
struct Load {
    revoked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    wrong: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(port: u16, good: Vec<String>) -> Self {
        let good = Arc::new(good);
        let mut load =
            Self { revoked: Arc::default(), stop: Arc::default(), asked: Arc::default(), wrong: Arc::default(), threads: Vec::new() };
        for number in 0..3 {
            let (good, revoked, stop) = (good.clone(), load.revoked.clone(), load.stop.clone());
            let (asked, wrong) = (load.asked.clone(), load.wrong.clone());
            load.threads.push(thread::spawn(move || {
                let mut connection = None;
                for turn in number.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let bad = Some(revoked.lock().unwrap()).filter(|all| !all.is_empty()).map(|all| all[turn * 7 % all.len()].clone());
                    let tries = [Some((good[turn % good.len()].clone(), 200)), bad.map(|token| (token, 401))];
                    for (token, expected) in tries.into_iter().flatten() {
                        // The gateway is killed too: no answer is no wrong answer.
                        let Some(status) = ask(&mut connection, port, &token) else { continue };
                        asked.fetch_add(1, Ordering::SeqCst);
                        if status != expected {
                            wrong.lock().unwrap().push(format!("turn {turn}: expected {expected}, found {status}"));
                        }
                    }
                }
            }));
        }
        load
    }

    /// From now on this token must not pass.
    fn in_force(&self, token: String) {
        self.revoked.lock().unwrap().push(token);
    }

    /// Waits until so many more requests were answered.
    fn more(&self, count: usize) {
        let wanted = self.asked.load(Ordering::SeqCst) + count;
        until("more requests", || (self.asked.load(Ordering::SeqCst) >= wanted).then_some(()));
    }

    fn end(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        (self.asked.load(Ordering::SeqCst), std::mem::take(&mut self.wrong.lock().unwrap()))
    }
}

fn ask(connection: &mut Option<Client>, port: u16, token: &str) -> Option<u16> {
    if connection.is_none() {
        *connection = Client::try_connect(port).ok();
    }
    let Some(open) = connection else {
        thread::sleep(Duration::from_millis(5));
        return None;
    };
    let answer = open.ask("GET", "/a/x", &[&format!("Authorization: Bearer {token}")], b"");
    if answer.is_err() {
        *connection = None;
    }
    answer.ok().map(|answer| answer.status())
}

/// The gateway under load, and the tokens that are still to be revoked.
struct Chaos {
    world: Revoking,
    load: Load,
    left: VecDeque<(String, String)>,
    propagated: Vec<Duration>,
}

impl Chaos {
    fn next(&mut self) -> (String, String) {
        self.left.pop_front().expect("there are tokens enough for all phases")
    }

    /// Revokes by the operator's port: the receipt puts it in force.
    fn by_operator(&mut self, count: usize) {
        for _ in 0..count {
            let (jti, token) = self.next();
            let body = json!({ "jti": jti, "ttl": 3600 }).to_string();
            let receipt = client::send(self.world.gateway.ports.admin, "POST", "/revocations", &[], body.as_bytes());
            assert_eq!(receipt.status(), 200, "{}", receipt.text());
            self.load.in_force(token);
        }
    }

    /// Publishes, and says what is to be in force by and by.
    fn publish(&mut self, publisher: &mut Publisher, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| {
                let (jti, token) = self.next();
                publisher.map(&[("revokedToken", &jti), ("ttl", "3600")]);
                token
            })
            .collect()
    }

    /// Publishes one by one, and measures until each is in force.
    fn by_broker(&mut self, publisher: &mut Publisher, count: usize) {
        for _ in 0..count {
            let begun = Instant::now();
            let published = self.publish(publisher, 1);
            self.arrived(published);
            self.propagated.push(begun.elapsed());
        }
    }

    /// Waits until all of these are refused.
    fn arrived(&self, tokens: Vec<String>) {
        for token in tokens {
            self.world.refused(&token);
            self.load.in_force(token);
        }
    }

    /// Writes keys, and says what is to be in force by and by.
    fn write(&mut self, etcd: &Etcd, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| {
                let (jti, token) = self.next();
                etcd.put(&format!("/tollgate/revocations/{jti}"), "3600");
                token
            })
            .collect()
    }

    /// Waits until the gauge says that a source is not there.
    fn degraded(&self, input: &str) {
        let gauge = || self.world.gateway.metric(&format!("tollgate_revocation_connected{{input=\"{input}\"}}"));
        until(&format!("the gauge to say that {input} is away"), || gauge().filter(|connected| *connected == 0.0));
    }

    /// etcd is cut off, stands still and is killed, while others go on revoking.
    fn etcd_fails(&mut self, etcd: &mut Etcd, network: &Partition) {
        let written = self.write(etcd, 50);
        self.arrived(written);

        network.cut();
        let written = self.write(etcd, 50);
        self.degraded("etcd");
        self.by_operator(25);
        network.heal();
        self.arrived(written);

        let written = self.write(etcd, 25);
        etcd.freeze();
        self.degraded("etcd");
        etcd.thaw();
        self.arrived(written);

        let written = self.write(etcd, 25);
        etcd.kill();
        self.degraded("etcd");
        self.by_operator(25);
        etcd.restart();
        self.arrived(written);
        self.world.whole("etcd");
    }

    /// A process is killed and the next one knows everything that was in force.
    fn kill_the_gateway(&mut self, publisher: &mut Publisher) {
        self.world.gateway.signal("KILL");
        self.world.gateway.wait();
        let published = self.publish(publisher, 50);
        self.world.gateway.child = self.world.gateway.spawn_beside(&[]);
        self.world.ready();
        self.arrived(published);
        self.world.whole("broker");
        self.world.whole("etcd");
    }
}

fn rounds() -> usize {
    std::env::var("CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

#[test]
fn whatever_fails_no_revoked_token_passes_no_good_one_is_refused_and_it_shows() {
    let mut broker = ActiveMq::start();
    let network = Partition::before(broker.stomp);
    let folder = Folder::new();
    let password = format!("${{file:{}}}", folder.write("password", PASSWORD).display());
    let mut etcd = Etcd::start();
    let way_to_etcd = Partition::before(etcd.port);
    let stores: Value = json!({
        "broker": {
            "url": format!("stomp://127.0.0.1:{}", network.port), "topic": "revoked", "subscription": "gateway-1",
            "username": USER, "password": password, "heartbeat": "1s",
        },
        "etcd": { "endpoints": [format!("http://127.0.0.1:{}", way_to_etcd.port)], "heartbeat": "1s", "relist": "2s" },
    });
    let world = Revoking::start(folder, stores, json!({}));
    world.whole("broker");
    let good = (0..50).map(|number| world.token(&format!("good-{number}"))).collect();
    let left = (0..1200 * rounds()).map(|number| format!("bad-{number}")).map(|jti| (jti.clone(), world.token(&jti))).collect();
    let load = Load::start(world.gateway.ports.plain, good);
    let mut chaos = Chaos { world, load, left, propagated: Vec::new() };
    for _ in 0..rounds() {
        let mut publisher = broker.publisher("revoked");
        chaos.by_broker(&mut publisher, 200);
        chaos.by_operator(200);

        network.cut();
        let published = chaos.publish(&mut publisher, 150);
        chaos.degraded("broker");
        chaos.by_operator(50);
        network.heal();
        chaos.arrived(published);
        chaos.world.whole("broker");

        chaos.etcd_fails(&mut etcd, &way_to_etcd);

        let published = chaos.publish(&mut publisher, 50);
        broker.freeze();
        chaos.degraded("broker");
        chaos.by_operator(50);
        broker.thaw();
        chaos.arrived(published);
        chaos.world.whole("broker");

        let published = chaos.publish(&mut publisher, 50);
        broker.kill();
        chaos.degraded("broker");
        chaos.by_operator(50);
        broker.restart();
        chaos.arrived(published);
        let mut publisher = broker.publisher("revoked");
        chaos.kill_the_gateway(&mut publisher);
        let published = chaos.publish(&mut publisher, 150);
        chaos.arrived(published);
        chaos.load.more(3000);
    }
    assert!(chaos.left.is_empty(), "{} are left", chaos.left.len());
    assert_eq!(chaos.world.shown("broker")["gaps"], 0);
    assert_eq!(chaos.world.shown("etcd")["differences"], 0);
    let (asked, wrong) = chaos.load.end();
    let (median, p99) = percentiles(chaos.propagated);
    println!(
        "{asked} requests beside {} revocations; ActiveMQ, before publishing to refusal: median {median:?}, p99 {p99:?}",
        1200 * rounds()
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert!(median < Duration::from_millis(50), "{median:?}");
}
