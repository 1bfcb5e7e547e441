//! A clock that tests turn, numbers that look random, and short ways to ask.

#![allow(dead_code, clippy::unwrap_used)]

pub mod gateway;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tollgate_counters::{Algorithm, Ask, Counters, Key, Limit, Moment, Policy, Told, Verdict};

/// 2026-01-01, which is the beginning of no window but those of a second, a minute, an hour and a day.
pub const START: u64 = 1_767_225_600;
pub const SECOND: u64 = 1_000_000_000;

/// Both clocks, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Hands {
    base: Instant,
    pub wall: u64,
    pub since: u64,
}

impl Hands {
    pub fn new() -> Self {
        Self { base: Instant::now(), wall: START * SECOND, since: 0 }
    }

    pub fn now(&self) -> Moment {
        self.after(0)
    }

    pub fn after(&self, nanoseconds: u64) -> Moment {
        Moment {
            wall: UNIX_EPOCH + Duration::from_nanos(self.wall + nanoseconds),
            instant: self.base + Duration::from_nanos(self.since + nanoseconds),
        }
    }

    pub fn pass(&mut self, nanoseconds: u64) {
        self.wall += nanoseconds;
        self.since += nanoseconds;
    }

    pub fn pass_seconds(&mut self, seconds: u64) {
        self.pass(seconds * SECOND);
    }
}

pub fn real_now() -> Moment {
    Moment { wall: SystemTime::now(), instant: Instant::now() }
}

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }

    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}

pub fn fixed(name: &str, limit: u64, window: u64) -> Policy {
    Policy::new(name, Algorithm::Fixed, Limit::Requests(limit), window).unwrap()
}

pub fn bytes(name: &str, limit: u64, window: u64) -> Policy {
    Policy::new(name, Algorithm::Fixed, Limit::Bytes(limit), window).unwrap()
}

pub fn sliding(name: &str, limit: u64, window: u64) -> Policy {
    Policy::new(name, Algorithm::Sliding, Limit::Requests(limit), window).unwrap()
}

pub fn gcra(name: &str, limit: u64, window: u64, burst: u64) -> Policy {
    Policy::new(name, Algorithm::Gcra { burst }, Limit::Requests(limit), window).unwrap()
}

/// One limit alone.
pub fn ask(counters: &Counters, now: Moment, policy: &Policy, key: Key) -> Told {
    let mut asks = [Ask::new(policy, key)];
    counters.decide(now, &mut asks);
    asks[0].told
}

pub fn look(counters: &Counters, now: Moment, policy: &Policy, key: Key) -> Told {
    let mut asks = [Ask::new(policy, key)];
    counters.look(now, &mut asks);
    asks[0].told
}

/// How many of so many requests at one moment pass.
pub fn passing(counters: &Counters, now: Moment, policy: &Policy, key: Key, requests: u64) -> u64 {
    (0..requests).filter(|_| ask(counters, now, policy, key).accepted).count() as u64
}

/// Several limits, each with its key.
pub fn decide(counters: &Counters, now: Moment, limits: &[(&Policy, Key)]) -> Verdict {
    let mut asks: Vec<_> = limits.iter().map(|(policy, key)| Ask::new(policy, *key)).collect();
    counters.decide(now, &mut asks)
}
