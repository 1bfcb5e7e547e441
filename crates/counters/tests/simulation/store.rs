//! The store: what the script that leases slices does, and what a store may lose.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tollgate_counters::{Grant, Question};

use crate::world::{FIRST, MILLISECOND, NODES, WINDOW};

/// A store that has forgotten grants nothing for so long, in windows that it does not remember from the beginning.
const LEARNS: i64 = 300 * MILLISECOND;

/// A quota's window.
pub type Place = (usize, i64);

#[derive(Default)]
pub struct Store {
    granted: HashMap<Place, u64>,
    /// What was there before each write, for a fail-over to a copy that lags.
    log: VecDeque<(i64, Place, u64)>,
    /// By how much its clock differs from true time.
    clock: i64,
    /// When its life began, if it is not its first.
    born: Option<i64>,
    /// It is slow until then: questions wait.
    pub paused: i64,
    /// It is not there until then: questions are lost.
    pub gone: i64,
}

impl Store {
    /// The number of the window at a moment, by its clock.
    pub fn window(&self, now: i64) -> i64 {
        (now + self.clock).div_euclid(WINDOW)
    }

    /// The script. It knows whole milliseconds only.
    pub fn answer(&mut self, now: i64, quota: usize, question: &Question) -> Grant {
        let clock = (now + self.clock).div_euclid(MILLISECOND) * MILLISECOND;
        let window = clock.div_euclid(WINDOW);
        let before = self.granted.get(&(quota, window)).copied().unwrap_or(0);
        let seen = if question.seen_in == (FIRST + window) as u64 { question.seen } else { 0 };
        let mut total = before.max(seen);
        let rest = question.limit.saturating_sub(total);
        let slice = (rest / (2 * NODES as u64)).max(1).min(question.wanted).min(rest);
        let granted = if self.learns(clock, window) { 0 } else { slice };
        total += granted;
        if total != before {
            self.granted.insert((quota, window), total);
            self.log.push_back((now, (quota, window), before));
        }
        let left = Duration::from_micros(((window + 1) * WINDOW - clock) as u64);
        Grant { window: (FIRST + window) as u64, granted, total, rest: rest - granted, left }
    }

    fn learns(&self, clock: i64, window: i64) -> bool {
        self.born.is_some_and(|born| clock < born + LEARNS && window * WINDOW < born)
    }

    /// It comes back empty. What it had granted.
    pub fn empty(&mut self, now: i64, back: i64) -> HashMap<Place, u64> {
        (self.paused, self.gone, self.born) = (back, back, Some(back + self.clock));
        self.log.clear();
        let window = self.window(now);
        std::mem::take(&mut self.granted).into_iter().filter(|((_, of), _)| *of == window).collect()
    }

    /// A copy takes over that has not seen what was written since `kept`, and whose clock differs. What is lost of each grant.
    pub fn fail_over(&mut self, kept: i64, back: i64, jump: i64) -> HashMap<Place, u64> {
        (self.paused, self.gone) = (back, back);
        let before = self.granted.clone();
        while let Some((_, place, old)) = self.log.pop_back_if(|(at, ..)| *at >= kept) {
            self.granted.insert(place, old);
        }
        self.clock += jump;
        before.into_iter().map(|(place, granted)| (place, granted - self.granted[&place])).collect()
    }

    /// What it granted in a quota's window.
    pub fn granted(&self, place: Place) -> u64 {
        self.granted.get(&place).copied().unwrap_or(0)
    }
}
