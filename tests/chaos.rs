//! Revocations while everything around the gateway fails, under load: once a revocation is in force its token never passes
//! again, nothing that is good is refused, and whatever is degraded shows.
//!
//! `CHAOS_ROUNDS` says how often everything fails; once, where it is not set.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Revoking, client,
    parts::{ActiveMq, Etcd, PASSWORD, Partition, RabbitMq, USER, rabbitmq},
    revoking::percentiles,
    until,
};

/// Requests all the time: with tokens that are good, and with such as are known to be revoked.
struct Load {
    revoked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// The gateway begins: it may say 503 until it is ready.
    beginning: Arc<AtomicBool>,
    wrong: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(port: u16, good: Vec<String>) -> Self {
        let good = Arc::new(good);
        let mut load = Self {
            revoked: Arc::default(),
            stop: Arc::default(),
            asked: Arc::default(),
            beginning: Arc::default(),
            wrong: Arc::default(),
            threads: Vec::new(),
        };
        for number in 0..3 {
            let (good, revoked, stop) = (good.clone(), load.revoked.clone(), load.stop.clone());
            let (asked, beginning, wrong) = (load.asked.clone(), load.beginning.clone(), load.wrong.clone());
            load.threads.push(thread::spawn(move || {
                let mut connection = None;
                for turn in number.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let bad = Some(revoked.lock().unwrap()).filter(|all| !all.is_empty()).map(|all| all[turn * 7 % all.len()].clone());
                    let tries = [Some((good[turn % good.len()].clone(), 200)), bad.map(|token| (token, 401))];
                    for (token, expected) in tries.into_iter().flatten() {
                        let began = beginning.load(Ordering::SeqCst);
                        // The gateway is killed too: no answer is no wrong answer.
                        let Some(status) = ask(&mut connection, port, &token) else { continue };
                        asked.fetch_add(1, Ordering::SeqCst);
                        if status != expected && !(began && status == 503) {
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

/// A message broker that can fail.
trait Broker {
    /// URL of a port before it, by which the gateway comes.
    fn url(&self, port: u16) -> String;
    fn port(&self) -> u16;
    /// Says that a token is revoked; returns once the broker has it.
    fn publisher(&self) -> Box<dyn FnMut(&str)>;
    fn freeze(&self);
    fn thaw(&self);
    fn kill(&mut self);
    fn restart(&mut self);
}

const TOPIC: &str = "revoked";

macro_rules! broker {
    ($broker:ty, $scheme:literal, $port:ident, $publisher:expr) => {
        impl Broker for $broker {
            fn url(&self, port: u16) -> String {
                format!(concat!($scheme, "://127.0.0.1:{}"), port)
            }
            fn port(&self) -> u16 {
                self.$port
            }
            fn publisher(&self) -> Box<dyn FnMut(&str)> {
                $publisher(self)
            }
            fn freeze(&self) {
                self.freeze();
            }
            fn thaw(&self) {
                self.thaw();
            }
            fn kill(&mut self) {
                self.kill();
            }
            fn restart(&mut self) {
                self.restart();
            }
        }
    };
}

broker!(ActiveMq, "stomp", stomp, |broker: &ActiveMq| -> Box<dyn FnMut(&str)> {
    let mut publisher = broker.publisher(TOPIC);
    Box::new(move |jti| publisher.map(&[("revokedToken", jti), ("ttl", "3600")]))
});

broker!(RabbitMq, "amqp", amqp, |broker: &RabbitMq| -> Box<dyn FnMut(&str)> {
    let mut publisher = rabbitmq::Publisher::new(broker, TOPIC);
    Box::new(move |jti| {
        publisher.publish(&json!({ "event": { "payloadData": { "revokedToken": jti, "ttl": "3600" } } }).to_string());
    })
});

/// The gateway under load.
struct Chaos {
    world: Revoking,
    load: Load,
    made: usize,
}

/// How long it takes until what was said is in force, when nothing fails.
const PROMISED: Duration = Duration::from_millis(50);

/// Who must get a processor before a revocation is in force: its publisher, the broker, the gateway, whoever asks.
const PASSED_BY: u32 = 4;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Does something, and says how late a thread gets a processor on this machine meanwhile: the 99th percentile.
fn beside<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    const NAP: Duration = Duration::from_millis(1);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let late = scope.spawn(|| {
            let mut late = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let begun = Instant::now();
                thread::sleep(NAP);
                late.push(begun.elapsed().saturating_sub(NAP));
            }
            percentiles(late).1
        });
        let result = work();
        done.store(true, Ordering::SeqCst);
        (result, late.join().unwrap())
    })
}

impl Chaos {
    /// A token that nobody has revoked yet, and its name.
    fn next(&mut self) -> (String, String) {
        self.made += 1;
        let jti = format!("bad-{}", self.made);
        let token = self.world.token(&jti);
        (jti, token)
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

    /// Says it to a source, and gives back what is to be in force by and by.
    fn say(&mut self, mut say: impl FnMut(&str), count: usize) -> Vec<String> {
        (0..count)
            .map(|_| {
                let (jti, token) = self.next();
                say(&jti);
                token
            })
            .collect()
    }

    /// Says it one by one, and measures until each is in force. What the machine keeps threads waiting for comes on top; a hiccup
    /// of it is measured again, and it must hold once.
    fn propagates(&mut self, source: &str, mut say: impl FnMut(&str), count: usize) {
        for attempt in 1.. {
            let measure = || {
                let each = |_| {
                    let begun = Instant::now();
                    let said = self.say(&mut say, 1);
                    self.arrived(said);
                    begun.elapsed()
                };
                percentiles((0..count).map(each).collect())
            };
            let ((median, p99), late) = beside(measure);
            println!(
                "{source}, under load, before it is said to the refusal: median {median:?}, p99 {p99:?}; threads are late by {late:?}"
            );
            if p99 < PROMISED + late * PASSED_BY {
                return;
            }
            assert!(attempt < 6, "{source}: p99 {p99:?}, and threads are late by {late:?}");
        }
    }

    /// Waits until all of these are refused.
    fn arrived(&self, tokens: Vec<String>) {
        for token in tokens {
            self.world.refused(&token);
            self.load.in_force(token);
        }
    }

    /// Waits until the gauge says that a source is not there.
    fn degraded(&self, input: &str) {
        let gauge = || self.world.gateway.metric(&format!("tollgate_revocation_connected{{input=\"{input}\"}}"));
        until(&format!("the gauge to say that {input} is away"), || gauge().filter(|connected| *connected == 0.0));
    }

    /// The broker is cut off, stands still and is killed, while the operator goes on revoking.
    fn broker_fails(&mut self, broker: &mut dyn Broker, network: &Partition) {
        let mut publish = broker.publisher();
        self.propagates("broker", &mut publish, 200);

        network.cut();
        let published = self.say(&mut publish, 150);
        self.degraded("broker");
        self.by_operator(50);
        network.heal();
        self.arrived(published);
        self.world.whole("broker");

        let published = self.say(&mut publish, 50);
        broker.freeze();
        self.degraded("broker");
        self.by_operator(50);
        broker.thaw();
        self.arrived(published);
        self.world.whole("broker");

        let published = self.say(&mut publish, 50);
        broker.kill();
        self.degraded("broker");
        self.by_operator(50);
        broker.restart();
        self.arrived(published);
        self.world.whole("broker");
    }

    /// etcd is compacted, cut off and compacted meanwhile, stands still and is killed, while the operator goes on revoking.
    fn etcd_fails(&mut self, etcd: &mut Etcd, network: &Partition) {
        self.propagates("etcd", |jti| write(etcd, jti), 100);
        compact(etcd);
        let written = self.say(|jti| write(etcd, jti), 25);
        self.arrived(written);

        network.cut();
        let written = self.say(|jti| write(etcd, jti), 50);
        self.degraded("etcd");
        compact(etcd);
        self.by_operator(25);
        network.heal();
        self.arrived(written);
        self.world.whole("etcd");

        let written = self.say(|jti| write(etcd, jti), 25);
        etcd.freeze();
        self.degraded("etcd");
        etcd.thaw();
        self.arrived(written);

        let written = self.say(|jti| write(etcd, jti), 25);
        etcd.kill();
        self.degraded("etcd");
        self.by_operator(25);
        etcd.restart();
        self.arrived(written);
        self.world.whole("etcd");
    }

    /// A process is killed and the next one knows everything that was in force.
    fn kill_the_gateway(&mut self, publish: impl FnMut(&str)) {
        self.load.beginning.store(true, Ordering::SeqCst);
        self.world.gateway.signal("KILL");
        self.world.gateway.wait();
        let published = self.say(publish, 50);
        self.world.gateway.child = self.world.gateway.spawn_beside(&[]);
        self.world.ready();
        self.load.beginning.store(false, Ordering::SeqCst);
        self.arrived(published);
        self.world.whole("broker");
        self.world.whole("etcd");
    }
}

fn write(etcd: &Etcd, jti: &str) {
    etcd.put(&format!("/tollgate/revocations/{jti}"), "3600");
}

/// Makes etcd forget all that was before now.
fn compact(etcd: &Etcd) {
    let now = etcd.put("/elsewhere", "");
    etcd.compact(now);
}

fn rounds() -> usize {
    std::env::var("CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// Everything fails, one after the other.
fn chaos(broker: &mut dyn Broker) {
    let network = Partition::before(broker.port());
    let folder = Folder::new();
    let password = format!("${{file:{}}}", folder.write("password", PASSWORD).display());
    let mut etcd = Etcd::start();
    let way_to_etcd = Partition::before(etcd.port);
    let stores: Value = json!({
        "broker": {
            "url": broker.url(network.port), "topic": TOPIC, "subscription": "gateway-1",
            "username": USER, "password": password, "heartbeat": "1s",
        },
        "etcd": { "endpoints": [format!("http://127.0.0.1:{}", way_to_etcd.port)], "heartbeat": "1s", "relist": "2s" },
    });
    let world = Revoking::start(folder, stores, json!({}));
    world.whole("broker");
    world.whole("etcd");
    let good = (0..50).map(|number| world.token(&format!("good-{number}"))).collect();
    let load = Load::start(world.gateway.ports.plain, good);
    let mut chaos = Chaos { world, load, made: 0 };
    for _ in 0..rounds() {
        chaos.by_operator(100);
        chaos.broker_fails(broker, &network);
        chaos.etcd_fails(&mut etcd, &way_to_etcd);
        let mut publish = broker.publisher();
        chaos.kill_the_gateway(&mut publish);
        let published = chaos.say(&mut publish, 150);
        chaos.arrived(published);
        chaos.load.more(3000);
    }
    assert!(chaos.made >= 1000 * rounds(), "{} revocations", chaos.made);
    assert_eq!(chaos.world.shown("broker")["gaps"], 0);
    assert_eq!(chaos.world.shown("etcd")["differences"], 0);
    let (asked, wrong) = chaos.load.end();
    println!("{asked} requests beside {} revocations", chaos.made);
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn whatever_fails_no_revoked_token_passes_no_good_one_is_refused_and_it_shows_over_stomp() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    chaos(&mut ActiveMq::start());
}

#[test]
fn whatever_fails_no_revoked_token_passes_no_good_one_is_refused_and_it_shows_over_amqp() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    chaos(&mut RabbitMq::start());
}
