//! What clients are told of their limits is true, and as many requests pass as the limits say, whatever the clock does.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use filter_throttle::Throttle;
use tollgate_filter_testkit::{Harness, Run, principal};

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// A time up to `most`.
    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(most.as_millis()).unwrap() + 1))
    }
}

fn limited(policies: &str, limits: &str) -> Harness<Throttle> {
    Harness::yaml(&format!("{{ policies: {{ {policies} }}, limits: [{limits}] }}"))
}

fn one(policy: &str) -> Harness<Throttle> {
    limited(&format!("some: {policy}"), "{ policy: some, key: [principal.subject] }")
}

fn ask(harness: &Harness<Throttle>, subject: &str) -> Run {
    harness.request("GET", "/").given(principal(subject)).run()
}

/// Whether a request passes; `r` and `t` of its answer, or when it may come again.
enum Told {
    Passed { left: u64, within: Duration },
    Refused { wait: Duration },
}

fn told(harness: &Harness<Throttle>, subject: &str) -> Told {
    let mut run = ask(harness, subject);
    let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
    if matches!(run.outcome(), Ok(Some(_))) {
        return Told::Refused { wait: seconds(run.answer_header("retry-after").unwrap()) };
    }
    let head = run.response(200);
    let said = head.get(&"ratelimit".parse().unwrap()).unwrap().to_str().unwrap().to_owned();
    let number = |name: &str| said.split(';').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    run.done(200);
    Told::Passed { left: number("r=").parse().unwrap(), within: seconds(&number("t=")) }
}

/// Times to wait below ten seconds are not spread.
const UNSPREAD: &str = "{ requests: 7, per: 9s }";

const ALGORITHMS: [&str; 5] = [
    UNSPREAD,
    "{ requests: 7, per: 60s }",
    "{ requests: 7, per: 10s, algorithm: sliding }",
    "{ requests: 7, per: 10s, algorithm: gcra, burst: 3 }",
    "{ requests: 3, per: 1s }",
];

#[test]
fn who_is_told_that_requests_are_left_may_send_them_in_the_time_that_is_told() {
    for policy in ALGORITHMS {
        let (harness, mut dice, mut sent) = (one(policy), Dice(1), 0);
        for round in 0..300 {
            harness.advance(dice.up_to(Duration::from_secs(12)));
            let Told::Passed { left, within } = told(&harness, "alone") else { continue };
            let mut rest = within;
            for _ in 0..left {
                let pause = dice.up_to(rest / 2);
                rest -= pause;
                harness.advance(pause);
                assert!(
                    matches!(told(&harness, "alone"), Told::Passed { .. }),
                    "{policy}, round {round}: {left} in {within:?} were promised"
                );
                sent += 1;
            }
        }
        assert!(sent > 300, "{policy}: only {sent} requests were promised");
    }
}

#[test]
fn who_comes_back_when_told_to_is_not_refused_and_under_fixed_windows_a_second_earlier_is() {
    for policy in ALGORITHMS {
        let (harness, mut dice) = (one(policy), Dice(2));
        for round in 0..300 {
            harness.advance(dice.up_to(Duration::from_millis(1500)));
            let wait = loop {
                if let Told::Refused { wait } = told(&harness, "alone") {
                    break wait;
                }
            };
            harness.advance(wait - Duration::from_secs(1));
            if policy == UNSPREAD {
                assert!(matches!(told(&harness, "alone"), Told::Refused { .. }), "{policy}, round {round}: a second before {wait:?}");
            }
            harness.advance(Duration::from_secs(1));
            assert!(matches!(told(&harness, "alone"), Told::Passed { .. }), "{policy}, round {round}: after {wait:?}");
        }
    }
}

#[test]
fn of_several_limits_that_refuse_the_one_that_takes_longest_says_when_to_come_back() {
    let both = "{ policy: short, key: [api] }, { policy: long, key: [principal.subject] }";
    let harness = limited("short: { requests: 1, per: 4s }, long: { requests: 1, per: 9s }", both);
    ask(&harness, "a").next();
    let refused = ask(&harness, "a").assert_denied(429, "throttle.limit");
    assert_eq!(refused.answer_header("retry-after"), Some("9"));
    let other = ask(&harness, "b").assert_denied(429, "throttle.limit");
    assert_eq!(other.answer_header("retry-after"), Some("4"), "only the first is used up");
    harness.advance(Duration::from_secs(4));
    let refused = ask(&harness, "a").assert_denied(429, "throttle.limit");
    assert_eq!(refused.answer_header("retry-after"), Some("5"));
    ask(&harness, "b").next();
}

#[test]
fn a_refused_request_takes_nothing_from_any_limit() {
    let both = "{ policy: all, key: [api] }, { policy: each, key: [principal.subject] }";
    let harness = limited("all: { requests: 10, per: 1m }, each: { requests: 1, per: 1m, stop: true }", both);
    ask(&harness, "a").next();
    for _ in 0..50 {
        ask(&harness, "a").assert_denied(429, "throttle.limit");
    }
    let passed = (0..20).filter(|number| matches!(ask(&harness, &format!("b{number}")).outcome(), Ok(None))).count();
    assert_eq!(passed, 9, "ten in all, one of them the first");
}

#[test]
fn a_clock_that_is_stepped_opens_no_window_twice() {
    for policy in ["{ requests: 3, per: 60s }", "{ requests: 3, per: 60s, algorithm: sliding }"] {
        let harness = one(policy);
        let passed = || (0..5).filter(|_| matches!(ask(&harness, "a").outcome(), Ok(None))).count();
        assert_eq!(passed(), 3, "{policy}");
        for step in [1, 59, 61, 3600, 86_400] {
            harness.clock().step_back(Duration::from_secs(step));
            assert_eq!(passed(), 0, "{policy}, {step} s back");
            harness.clock().step_ahead(Duration::from_secs(step));
            assert_eq!(passed(), 0, "{policy}, {step} s back and forth");
        }
        // A window that is cut short is followed by one window, and not by another when the step is undone.
        harness.clock().step_ahead(Duration::from_secs(120));
        assert_eq!(passed(), 3, "{policy}");
        harness.clock().step_back(Duration::from_secs(120));
        assert_eq!(passed(), 0, "{policy}");
    }
}

#[test]
fn in_a_hundred_windows_exactly_as_many_of_64_racing_threads_pass_as_the_limit_says() {
    const WINDOWS: usize = 100;
    let harness = one("{ requests: 50, per: 1s }");
    let (barrier, passed) = (Barrier::new(64), [const { AtomicUsize::new(0) }; WINDOWS]);
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (harness, barrier, passed) = (&harness, &barrier, &passed);
            scope.spawn(move || {
                for passed in passed {
                    for _ in 0..3 {
                        if matches!(ask(harness, "shared").outcome(), Ok(None)) {
                            passed.fetch_add(1, SeqCst);
                        }
                    }
                    barrier.wait();
                    if thread == 0 {
                        harness.advance(Duration::from_secs(1));
                    }
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(passed.map(AtomicUsize::into_inner), [50; WINDOWS]);
}
