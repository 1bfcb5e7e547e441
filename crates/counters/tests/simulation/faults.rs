//! What goes wrong, and when.

use crate::{
    common::Dice,
    demand::between,
    tally::Tally,
    world::{Event, MILLISECOND, NODES, WINDOW, WINDOWS, World},
};

/// What a run has to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Drift and slow messages only.
    Calm,
    /// Partitions, crashes, pauses of the store and of processes.
    Faults,
    /// As [`Scenario::Faults`], and the store comes back empty twice.
    Loss,
    /// As [`Scenario::Faults`], and twice a copy of the store takes over that lags and whose clock differs.
    FailOver,
}

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    Partition,
    Crash,
    StorePause,
    Pause,
    Loss,
    FailOver,
}

/// Moments and faults.
pub fn plan(dice: &mut Dice, scenario: Scenario) -> Vec<(i64, Fault)> {
    let mut all = Vec::new();
    if scenario == Scenario::Calm {
        return all;
    }
    for (fault, number) in [(Fault::Partition, 8), (Fault::Crash, 4), (Fault::StorePause, 2), (Fault::Pause, 12)] {
        all.extend((0..number).map(|_| (between(dice, 0, WINDOW * WINDOWS), fault)));
    }
    // At the edges of windows it matters most that a process stands still.
    for edge in 1..WINDOWS {
        all.extend((0..8).map(|_| (edge * WINDOW - between(dice, 0, 200 * MILLISECOND), Fault::Pause)));
    }
    let store = match scenario {
        Scenario::Loss => Fault::Loss,
        Scenario::FailOver => Fault::FailOver,
        Scenario::Calm | Scenario::Faults => return all,
    };
    all.extend((1..3).map(|window| (window * WINDOW + between(dice, 0, WINDOW), store)));
    all
}

impl World<'_> {
    pub fn strike(&mut self, now: i64, fault: Fault) {
        let node = self.dice.below(NODES as u64) as usize;
        let mut lasts = |from: i64, to: i64| now + between(&mut self.dice, from * MILLISECOND, to * MILLISECOND);
        match fault {
            Fault::Partition => self.nodes[node].cut = lasts(200, 8_000),
            Fault::Pause => self.nodes[node].stopped = lasts(10, 500),
            Fault::StorePause => self.store.paused = lasts(100, 3_000),
            Fault::Crash => {
                self.nodes[node].stopped = lasts(300, 2_000);
                self.nodes[node].crash(now, self.policy);
            }
            Fault::Loss => {
                let back = now + 500 * MILLISECOND;
                let granted = self.store.empty(now, back);
                for (place, granted) in granted {
                    let epsilon = self.epsilon.store_emptied(granted);
                    self.tally.allow(place, epsilon);
                }
                self.reconnect(back);
            }
            Fault::FailOver => self.fail_over(now),
        }
    }

    fn fail_over(&mut self, now: i64) {
        let lost = between(&mut self.dice, 100 * MILLISECOND, 1_000 * MILLISECOND);
        let jump = between(&mut self.dice, -200 * MILLISECOND, 200 * MILLISECOND);
        let (window, back) = (self.store.window(now), now + 1_000 * MILLISECOND);
        for quota in 0..self.quotas {
            let held = self.store.granted((quota, window)).saturating_sub(self.tally.accepted((quota, window)));
            let epsilon = self.epsilon.clock_jumped(held);
            self.tally.allow((quota, window + jump.signum()), epsilon);
        }
        for (place, lost) in self.store.fail_over(now - lost, back, jump) {
            let epsilon = self.epsilon.grants_lost(lost);
            self.tally.allow(place, epsilon);
        }
        self.reconnect(back);
    }

    /// All connections are lost, and come back one by one.
    fn reconnect(&mut self, back: i64) {
        for node in 0..NODES {
            self.nodes[node].connected = false;
            let moment = back + between(&mut self.dice, MILLISECOND, 100 * MILLISECOND);
            self.push(moment, Event::Connect { node });
        }
    }
}

impl Tally {
    fn accepted(&self, place: (usize, i64)) -> u64 {
        self.places.get(&place).map_or(0, |seen| seen.accepted)
    }
}
