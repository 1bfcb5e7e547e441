//! Many threads at once: never one too many, never one too few.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use common::{Dice, Hands, SECOND, START, ask, decide, fixed, gcra, look, sliding};
use tollgate_counters::{Ask, Away, Counters, Grant, Held, Policy, Question};

const THREADS: u64 = 64;

/// Runs one closure on 64 threads that begin together; the sum of what they say.
fn together(work: impl Fn(u64) -> u64 + Sync) -> u64 {
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let start = |number| {
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

#[test]
fn each_of_100_windows_accepts_exactly_its_limit_from_64_threads() {
    let (hands, limit, windows) = (Hands::new(), 100, 100);
    let counters = Counters::new(hands.now(), 1_000);
    let policy = fixed("a second", limit, 1);
    let key = counters.key(&policy, &[b"one"]);
    // Each request takes the next moment, so the threads go over the edges together, some of them late.
    let (requests, step) = (AtomicU64::new(0), SECOND / 1_000);
    let accepted = together(|_| {
        let mut accepted = 0;
        loop {
            let moment = requests.fetch_add(1, Ordering::Relaxed) * step;
            if moment >= windows * SECOND {
                return accepted;
            }
            accepted += u64::from(ask(&counters, hands.after(moment), &policy, key).accepted);
        }
    });
    assert_eq!(accepted, limit * windows);
}

#[test]
fn a_limit_of_one_lets_exactly_one_of_64_threads_pass() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    for policy in [fixed("fixed", 1, 60), sliding("sliding", 1, 60), gcra("gcra", 1, 60, 1), Policy::concurrent("together", 1).unwrap()] {
        for round in 0_u64..25 {
            let key = counters.key(&policy, &[&round.to_le_bytes()]);
            let passed = together(|_| u64::from(decide(&counters, hands.now(), &[(&policy, key)]).passes));
            assert_eq!(passed, 1, "{policy:?}, round {round}");
        }
    }
}

#[test]
fn requests_that_one_limit_refuses_consume_nothing_of_the_others_and_hide_nothing_from_other_requests() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let (wide, empty) = (fixed("wide", 1, 60), fixed("empty", 1, 60));
    let used_up = counters.key(&empty, &[b"used up"]);
    assert!(ask(&counters, hands.now(), &empty, used_up).accepted);
    for round in 0_u64..50 {
        let key = counters.key(&wide, &[&round.to_le_bytes()]);
        // All but one thread are refused, and must never look as if they had taken the one unit.
        let passed = together(|thread| {
            let alone = [(&wide, key)];
            let both = if thread % 2 == 0 { [(&wide, key), (&empty, used_up)] } else { [(&empty, used_up), (&wide, key)] };
            if thread == 40 {
                u64::from(decide(&counters, hands.now(), &alone).passes)
            } else {
                (0..20).filter(|_| decide(&counters, hands.now(), &both).passes).count() as u64 * 1_000
            }
        });
        assert_eq!(passed, 1, "round {round}");
    }
}

#[test]
fn what_is_left_of_many_limits_is_what_the_passed_requests_took() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 10_000);
    let policies: Vec<_> = (0..40).map(|number| fixed(&format!("policy {number}"), 200 + number * 5, 60)).collect();
    let keys: Vec<_> = policies.iter().map(|policy| counters.key(policy, &[])).collect();
    let taken: Vec<_> = (0..40).map(|_| AtomicU64::new(0)).collect();
    together(|thread| {
        let mut dice = Dice(thread);
        for _ in 0..200 {
            // Any order: with locks in the order of the asks this would not end.
            let met: Vec<usize> = (0..dice.within(1, 8)).map(|_| dice.below(40) as usize).collect();
            let mut asks: Vec<_> = met.iter().map(|at| Ask::new(&policies[*at], keys[*at])).collect();
            counters.decide(hands.now(), &mut asks);
            for (at, ask) in met.iter().zip(&asks).filter(|(_, ask)| ask.told.counted) {
                assert!(ask.told.accepted);
                taken[*at].fetch_add(1, Ordering::Relaxed);
            }
        }
        0
    });
    let mut used_up = 0;
    for ((policy, key), (number, taken)) in policies.iter().zip(&keys).zip((200..).step_by(5).zip(&taken)) {
        let told = look(&counters, hands.now(), policy, *key);
        let left = told.remaining + u64::from(told.accepted);
        assert_eq!(taken.load(Ordering::Relaxed) + left, number);
        used_up += u32::from(left == 0);
    }
    assert!(used_up > 0, "no limit was reached, so nothing was refused");
}

#[test]
fn requests_at_the_same_time_are_exact_and_all_come_back() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policy = Policy::concurrent("together", 5).unwrap();
    let key = counters.key(&policy, &[b"application"]);
    let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let passed = together(|_| {
        let mut passed = 0;
        for _ in 0..200 {
            if decide(&counters, hands.now(), &[(&policy, key)]).passes {
                let held = Held::new(&counters, key);
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                drop(held);
                passed += 1;
            }
        }
        passed
    });
    assert!(passed > 0);
    assert!((1..=5).contains(&most.into_inner()));
    assert_eq!(look(&counters, hands.now(), &policy, key).remaining, 4, "one of five is this look's");
    assert_eq!(counters.keys(), 0, "what nobody holds takes no memory");
}

/// A store of one quota of 1,000 in windows of an hour.
struct Store(Mutex<u64>);

const QUOTA: u64 = 1_000;

impl Store {
    fn grant(&self, question: &Question) -> Grant {
        let mut total = self.0.lock().unwrap();
        let granted = ((QUOTA - *total) / 8).max(1).min(question.wanted).min(QUOTA - *total);
        *total += granted;
        Grant { window: START / 3_600, granted, total: *total, rest: QUOTA - *total, left: Duration::from_secs(3_600) }
    }
}

#[test]
fn a_lease_that_64_threads_use_and_fill_lets_exactly_pass_what_was_granted() {
    let hands = Hands::new();
    for round in 0_u64..10 {
        let counters = Counters::new(hands.now(), 1_000);
        counters.set_fleet(4, false);
        let (shared, local) = (Policy::shared("shared", QUOTA, 3_600, Away::Strict).unwrap(), fixed("used up", 1, 60));
        let (name, key) = (counters.shared_key(&shared, &[&round.to_le_bytes()]), counters.key(&local, &[]));
        assert!(ask(&counters, hands.now(), &local, key).accepted);
        let store = Store(Mutex::new(0));
        let wrong = AtomicU64::new(0);
        let passed = together(|thread| {
            let mut passed = 0;
            while wrong.load(Ordering::Relaxed) == 0 {
                // Every other request is refused by another limit, and must neither take nor ask.
                let mut both = [Ask::shared(&shared, name), Ask::new(&local, key)];
                let took = counters.decide(hands.now(), &mut both).passes || counters.question(&both[0]).is_some();
                wrong.fetch_add(u64::from(took), Ordering::Relaxed);
                let mut asks = [Ask::shared(&shared, name)];
                let verdict = counters.decide(hands.now(), &mut asks);
                passed += u64::from(verdict.passes);
                if let Some(question) = counters.question(&asks[0]) {
                    let grant = store.grant(&question);
                    // Who is told that nothing is left does not ask again.
                    wrong.fetch_add(u64::from(grant.granted == 0), Ordering::Relaxed);
                    // Some answers come twice.
                    (0..=thread % 2).for_each(|_| _ = counters.granted(hands.now(), hands.now(), &question, grant));
                } else if !verdict.passes && !verdict.waits {
                    return passed;
                } else {
                    thread::yield_now();
                }
            }
            passed
        });
        assert_eq!((passed, wrong.into_inner()), (QUOTA, 0), "round {round}");
    }
}
