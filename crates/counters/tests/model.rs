//! Random requests against a model that keeps every accepted request and counts from the beginning each time.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Dice, Hands, SECOND};
use tollgate_counters::{Algorithm, Ask, Counters, Key, Limit, Policy};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Fixed,
    Bytes,
    Sliding,
    Gcra { burst: u64 },
    Concurrent,
}

/// A limit for one key, and everything it has counted: when, and how much.
struct Model {
    kind: Kind,
    limit: u64,
    window: u64,
    policy: Policy,
    key: Key,
    stops: bool,
    log: Vec<(u64, u64)>,
    in_flight: u64,
}

impl Model {
    fn new(counters: &Counters, dice: &mut Dice, number: usize) -> Self {
        let (limit, window) = (dice.within(1, 12), dice.within(1, 7));
        let (name, algorithm) = (format!("policy {number}"), dice.below(5));
        let kind = match algorithm {
            0 => Kind::Fixed,
            1 => Kind::Bytes,
            2 => Kind::Sliding,
            3 => Kind::Gcra { burst: dice.within(1, 5) },
            _ => Kind::Concurrent,
        };
        let policy = match kind {
            Kind::Fixed => Policy::new(&name, Algorithm::Fixed, Limit::Requests(limit), window),
            Kind::Bytes => Policy::new(&name, Algorithm::Fixed, Limit::Bytes(limit), window),
            Kind::Sliding => Policy::new(&name, Algorithm::Sliding, Limit::Requests(limit), window),
            Kind::Gcra { burst } => Policy::new(&name, Algorithm::Gcra { burst }, Limit::Requests(limit), window),
            Kind::Concurrent => Policy::concurrent(&name, limit),
        }
        .unwrap();
        let key = counters.key(&policy, &[b"caller"]);
        Self { kind, limit, window, policy, key, stops: dice.below(5) > 0, log: Vec::new(), in_flight: 0 }
    }

    /// What the `back`-th window before the current one has counted.
    fn counted(&self, now: u64, back: u64) -> u64 {
        let length = self.window * SECOND;
        self.log.iter().filter(|(at, _)| at / length + back == now / length).map(|(_, number)| number).sum()
    }

    fn left(&self, now: u64) -> u64 {
        match self.kind {
            Kind::Fixed | Kind::Bytes => self.limit.saturating_sub(self.counted(now, 0)),
            Kind::Concurrent => self.limit - self.in_flight,
            Kind::Sliding => {
                let length = u128::from(self.window * SECOND);
                let rest = length - u128::from(now) % length;
                let used = u128::from(self.counted(now, 0)) * length + u128::from(self.counted(now, 1)) * rest;
                ((u128::from(self.limit) * length).saturating_sub(used) / length) as u64
            }
            Kind::Gcra { burst } => {
                // A bucket that leaks one nanosecond in a nanosecond, and into which each request pours one interval.
                let interval = (self.window * SECOND).div_ceil(self.limit);
                let leak = |(level, since): (u64, u64), at: u64| (level.saturating_sub(at - since), at);
                let poured = self.log.iter().fold((0, 0), |bucket, (at, _)| {
                    let (level, at) = leak(bucket, *at);
                    (level + interval, at)
                });
                (burst * interval - leak(poured, now).0) / interval
            }
        }
    }
}

struct World {
    counters: Counters,
    hands: Hands,
    dice: Dice,
    models: Vec<Model>,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut dice, hands) = (Dice(seed), Hands::new());
        let counters = Counters::new(hands.now(), 1_000);
        let models = (0..6).map(|number| Model::new(&counters, &mut dice, number)).collect();
        Self { counters, hands, dice, models }
    }

    /// A request that meets some of the limits, in any order.
    fn request(&mut self) {
        let now = self.hands.wall;
        let mut met: Vec<usize> = (0..self.models.len()).filter(|_| self.dice.below(3) > 0).collect();
        let turn = self.dice.below(6).min(met.len() as u64);
        met.rotate_left(turn as usize);
        let asks = || -> Vec<Ask<'_>> { met.iter().map(|at| ask_of(&self.models[*at])).collect() };
        let (mut asked, mut looked) = (asks(), asks());
        let seen = self.counters.look(self.hands.now(), &mut looked);
        let verdict = self.counters.decide(self.hands.now(), &mut asked);
        assert_eq!(seen, verdict);

        let lefts: Vec<u64> = met.iter().map(|at| self.models[*at].left(now)).collect();
        let passes = met.iter().zip(&lefts).all(|(at, left)| *left > 0 || !self.models[*at].stops);
        assert_eq!(verdict.passes, passes, "{asked:?}");
        for ((ask, look), left) in asked.iter().zip(&looked).zip(&lefts) {
            let counted = passes && *left > 0;
            let kind = met.iter().map(|at| &self.models[*at]).find(|model| model.key == ask.key()).unwrap().kind;
            let spent = u64::from(counted && kind != Kind::Bytes);
            assert_eq!((ask.told.accepted, ask.told.remaining, ask.told.counted), (*left > 0, left - spent, spent == 1), "{kind:?}");
            assert_eq!((look.told.accepted, look.told.remaining, look.told.reset), (*left > 0, left - spent, ask.told.reset));
            assert!(!look.told.counted);
        }
        let counted: Vec<bool> = asked.iter().map(|ask| ask.told.counted).collect();
        for (at, counted) in met.into_iter().zip(counted) {
            self.note(at, counted, passes);
        }
    }

    fn note(&mut self, at: usize, counted: bool, passes: bool) {
        let model = &mut self.models[at];
        match model.kind {
            Kind::Concurrent => model.in_flight += u64::from(counted),
            Kind::Bytes if passes => {
                let number = self.dice.below(5);
                self.counters.add(self.hands.now(), &model.policy, model.key, number);
                model.log.push((self.hands.wall, number));
            }
            _ if counted => model.log.push((self.hands.wall, 1)),
            _ => {}
        }
    }

    /// Time passes, and some requests end.
    fn wait(&mut self) {
        let longest = [SECOND / 20, SECOND, 9 * SECOND][self.dice.below(3) as usize];
        self.hands.pass(self.dice.below(longest));
        for model in &mut self.models {
            if model.in_flight > 0 && self.dice.below(2) == 0 {
                self.counters.release(model.key);
                model.in_flight -= 1;
            }
        }
        if self.dice.below(8) == 0 {
            self.counters.tick(self.hands.now());
        }
    }
}

fn ask_of(model: &Model) -> Ask<'_> {
    let ask = Ask::new(&model.policy, model.key);
    if model.stops { ask } else { ask.never_stops() }
}

#[test]
fn every_verdict_is_what_a_count_of_all_accepted_requests_says() {
    for seed in 0..150 {
        let mut world = World::new(seed);
        for _ in 0..150 {
            world.request();
            if world.dice.below(2) == 0 {
                world.wait();
            }
        }
        let most = world.models.iter().map(|model| model.log.len()).max();
        assert!(most.unwrap() > 10, "seed {seed}: hardly anything passed");
    }
}
