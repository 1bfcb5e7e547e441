//! Prints what decisions and keys cost. Run it alone, on a quiet machine:
//! `cargo test --release -p tollgate-counters --test measure -- --ignored --nocapture --test-threads 1`.
//! `TOLLGATE_KEYS` sets the number of keys: 1 million without it, 10 million for the numbers that are promised.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, thread, time::Instant};

use common::{Dice, Hands, SECOND, fixed, gcra, real_now, sliding};
use tollgate_counters::{Ask, Counters, Key, Policy};

const ROUNDS: u64 = 1_000_000;
const SUBSCRIPTIONS: u64 = 10_000;
const APPLICATIONS: u64 = 100_000;

fn keys() -> u64 {
    std::env::var("TOLLGATE_KEYS").map_or(1_000_000, |keys| keys.parse().unwrap())
}

/// Time that this thread has had a core, in nanoseconds: others may be running.
fn cpu() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// How often this thread was switched away.
fn switches() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    status
        .lines()
        .filter(|line| line.contains("ctxt_switches"))
        .map(|line| line.split_once(':').unwrap().1.trim().parse::<u64>().unwrap())
        .sum()
}

/// Five limits as a request meets them: of the API, the operation, the subscription, the application and the address.
struct Five {
    counters: Counters,
    policies: [Policy; 5],
    api: Key,
    operations: Vec<Key>,
    addresses: u64,
}

impl Five {
    fn new(policies: [Policy; 5]) -> Self {
        let counters = Counters::new(real_now(), usize::MAX);
        let api = counters.key(&policies[0], &[b"/shop:v1"]);
        let operations = (0_u64..20).map(|number| counters.key(&policies[1], &[b"/shop:v1", &number.to_le_bytes()])).collect();
        Self { counters, policies, api, operations, addresses: keys() }
    }

    fn fixed() -> Self {
        Self::new(["api", "operation", "subscription", "application", "address"].map(|name| fixed(name, 1 << 40, 3_600)))
    }

    fn mixed() -> Self {
        Self::new([
            fixed("api", 1 << 40, 3_600),
            sliding("operation", 1 << 31, 60),
            sliding("subscription", 1 << 31, 60),
            gcra("application", 1_000_000, 1, 100_000_000),
            gcra("address", 1_000_000, 1, 100_000_000),
        ])
    }

    /// Each address once.
    fn fill(&self) {
        for address in 0..self.addresses {
            let now = real_now();
            let mut asks = [Ask::new(&self.policies[4], self.counters.key(&self.policies[4], &[&address.to_le_bytes()]))];
            assert!(self.counters.decide(now, &mut asks).passes);
        }
    }

    fn request(&self, dice: &mut Dice) -> bool {
        let now = real_now();
        let key = |policy: usize, number: u64| self.counters.key(&self.policies[policy], &[&number.to_le_bytes()]);
        let keys = [
            self.api,
            self.operations[dice.below(20) as usize],
            key(2, skewed(dice, SUBSCRIPTIONS)),
            key(3, skewed(dice, APPLICATIONS)),
            key(4, dice.below(self.addresses)),
        ];
        let ask = |at: usize| Ask::new(&self.policies[at], keys[at]);
        self.counters.decide(now, &mut [ask(0), ask(1), ask(2), ask(3), ask(4).chosen_by_client()]).passes
    }

    /// CPU nanoseconds a request, the making of its keys and the reading of both clocks included.
    fn run(&self, seed: u64) -> u64 {
        let mut dice = Dice(seed);
        let before = cpu();
        let passed = (0..ROUNDS).filter(|_| self.request(&mut dice)).count() as u64;
        assert_eq!(passed, ROUNDS);
        (cpu() - before) / ROUNDS
    }
}

/// About Zipf: the number `n` comes with a share of 1/n.
fn skewed(dice: &mut Dice, end: u64) -> u64 {
    let share = dice.below(1 << 53) as f64 / (1_u64 << 53) as f64;
    (end as f64).powf(share) as u64 - 1
}

#[test]
#[ignore = "prints numbers; takes a quiet machine"]
fn print_what_five_limits_cost() {
    let mut dice = Dice(0);
    let before = cpu();
    let drawn: u64 = (0..ROUNDS).map(|_| skewed(&mut dice, 1_000) + skewed(&mut dice, 1_000) + dice.below(9) + dice.below(9)).sum();
    assert!(drawn > 0);
    println!("{} ns of a request are the dice's", (cpu() - before) / ROUNDS);
    let before = cpu();
    for _ in 0..ROUNDS {
        std::hint::black_box(real_now());
    }
    println!("{} ns of a request are the clocks'", (cpu() - before) / ROUNDS);
    for (name, five) in [("fixed", Five::fixed()), ("fixed, sliding and gcra", Five::mixed())] {
        five.fill();
        five.run(1);
        println!("{name}: {} addresses, one thread: {} ns a request", five.addresses, five.run(2));
        let both: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = [3, 4]
                .into_iter()
                .map(|seed| {
                    scope.spawn({
                        let five = &five;
                        move || five.run(seed)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        println!("{name}: {} addresses, two threads: {both:?} ns a request", five.addresses);
    }
}

/// Inserts, with the slow ones told apart by whether the thread was switched away meanwhile.
struct Pauses {
    all: Vec<u32>,
    worst_running: u64,
    worst: u64,
    switches: u64,
}

impl Pauses {
    fn new() -> Self {
        Self { all: Vec::with_capacity(keys() as usize), worst_running: 0, worst: 0, switches: switches() }
    }

    fn measure(&mut self, work: impl FnOnce()) {
        let start = Instant::now();
        work();
        let took = start.elapsed().as_nanos() as u64;
        self.all.push(took as u32);
        self.worst = self.worst.max(took);
        if took > 50_000 {
            let now = switches();
            if std::mem::replace(&mut self.switches, now) == now {
                self.worst_running = self.worst_running.max(took);
            }
        }
    }

    fn print(mut self, what: &str) {
        self.all.sort_unstable();
        let at = |share: f64| self.all[(self.all.len() as f64 * share) as usize];
        let (middle, late) = (at(0.5), at(0.9999));
        println!("{what}: p50 {middle} ns, p99.99 {late} ns, worst {} ns, worst not switched away {} ns", self.worst, self.worst_running);
    }
}

#[test]
#[ignore = "prints numbers; takes a quiet machine"]
fn print_bytes_a_key_and_pauses_at_expiry() {
    let (mut hands, counters, policy) = (Hands::new(), Counters::new(Hands::new().now(), usize::MAX), fixed("minute", 1, 60));
    let empty = counters.bytes();
    for round in 0..3 {
        let mut pauses = Pauses::new();
        for number in 0..keys() {
            let key = counters.key(&policy, &[&(round * keys() + number).to_le_bytes()]);
            pauses.measure(|| assert!(counters.decide(hands.now(), &mut [Ask::new(&policy, key)]).passes));
        }
        pauses.print(if round == 0 { "inserts into an empty table" } else { "inserts while all before are over" });
        println!(
            "{} keys, {:.1} bytes a key, {empty} bytes when empty",
            counters.keys(),
            (counters.bytes() - empty) as f64 / keys() as f64
        );
        hands.pass(60 * SECOND);
    }
    let (mut pauses, mut removed) = (Pauses::new(), 0);
    (0..64).for_each(|_| pauses.measure(|| removed += counters.tick(hands.now())));
    assert!(removed > 0);
    pauses.print("ticks, 64 shards each");
    println!("{} keys, {} bytes", counters.keys(), counters.bytes());
}
