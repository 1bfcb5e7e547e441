//! Who asks for what, and when.

use crate::{
    common::Dice,
    world::{NODES, WINDOW, WINDOWS},
};

/// A request: at a moment in microseconds, to a node, for a quota.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub at: i64,
    pub node: usize,
    pub quota: usize,
}

/// A number from 0 to 1.
pub fn part(dice: &mut Dice) -> f64 {
    (dice.throw() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A moment from `from` to before `to`.
pub fn between(dice: &mut Dice, from: i64, to: i64) -> i64 {
    from + dice.below((to - from).max(1) as u64) as i64
}

/// The first quota is asked for eight times its limit, the eighth once, and so on: steadily or in bursts, by all nodes or mostly by some,
/// which are others after a turn within the window.
pub fn requests(dice: &mut Dice, limit: u64, quotas: usize) -> Vec<Request> {
    let mut all = Vec::new();
    for quota in 0..quotas {
        for window in 0..WINDOWS {
            let demand = limit as f64 * 8.0 / (quota + 1) as f64;
            let number = (demand * (0.7 + 0.6 * part(dice))) as u64;
            let (from, to) = stretch(dice);
            let places = Places::new(dice);
            for _ in 0..number {
                let moment = from + (to - from) * part(dice);
                let node = places.node(dice, moment);
                all.push(Request { at: window * WINDOW + (moment * WINDOW as f64) as i64, node, quota });
            }
        }
    }
    all.sort_unstable_by_key(|request| (request.at, request.node, request.quota));
    all
}

/// The part of the window in which requests come.
fn stretch(dice: &mut Dice) -> (f64, f64) {
    match dice.below(5) {
        0 | 1 => (0.0, 1.0),
        2 => {
            let from = 0.8 * part(dice);
            (from, from + 0.05 + 0.15 * part(dice))
        }
        3 => (0.0, 0.3),
        // At the edge, where slices end.
        _ => (0.97, 1.0),
    }
}

/// How requests are spread over the nodes.
struct Places {
    before: Vec<usize>,
    after: Vec<usize>,
    turn: f64,
    /// Sums of the weights.
    sums: Vec<f64>,
}

impl Places {
    fn new(dice: &mut Dice) -> Self {
        let skew = dice.below(3) as i32;
        let mut before: Vec<usize> = (0..NODES).collect();
        for at in (1..NODES).rev() {
            before.swap(at, dice.below(at as u64 + 1) as usize);
        }
        let mut after = before.clone();
        after.rotate_left(dice.below(NODES as u64) as usize);
        let weights = (0..NODES).map(|at| 1.0 / ((at + 1) as f64).powi(skew));
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { before, after, turn: 0.3 + 0.4 * part(dice), sums: sums.collect() }
    }

    fn node(&self, dice: &mut Dice, moment: f64) -> usize {
        let point = part(dice) * self.sums[NODES - 1];
        let at = self.sums.iter().position(|sum| *sum >= point).unwrap_or(NODES - 1);
        if moment < self.turn { self.before[at] } else { self.after[at] }
    }
}
