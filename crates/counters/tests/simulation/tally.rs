//! What passed, by the store's true windows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{store::Place, world::WINDOWS};

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub offered: u64,
    pub accepted: u64,
    /// What may pass above the limit, because of what the store lost.
    pub epsilon: u64,
    /// The processes that let something pass while their store was away.
    pub away: BTreeSet<(usize, u32)>,
}

/// What a run, or many of them, came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub places: BTreeMap<Place, Seen>,
    pub requests: u64,
    pub calls: u64,
    pub waited: u64,
    /// Requests that passed by a credit, in another window than the one that granted it.
    pub strays: u64,
}

impl Tally {
    pub fn at(&mut self, place: Place) -> &mut Seen {
        self.places.entry(place).or_default()
    }

    pub fn allow(&mut self, place: Place, epsilon: u64) {
        self.at(place).epsilon += epsilon;
    }

    /// The windows that were simulated whole.
    pub fn windows(&self) -> impl Iterator<Item = (&Place, &Seen)> {
        self.places.iter().filter(|((_, window), _)| *window < WINDOWS)
    }

    /// What passed within the limit, of what could have passed.
    pub fn utilisation(&self, limit: u64) -> f64 {
        let sum = |of: fn(&Seen) -> u64| self.windows().map(|(_, seen)| of(seen).min(limit)).sum::<u64>() as f64;
        sum(|seen| seen.accepted) / sum(|seen| seen.offered)
    }
}

/// Many runs.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub runs: u64,
    pub windows: u64,
    pub over: u64,
    /// The largest number that passed in a window.
    pub most: u64,
    /// What passed above the limit and what may pass above it, of the window where they come closest.
    pub closest: (u64, u64),
    pub strays: u64,
    utilisation: f64,
    calls: u64,
    waited: u64,
    requests: u64,
}

impl Summary {
    pub fn add(&mut self, tally: &Tally, limit: u64) {
        for (_, seen) in tally.windows() {
            self.windows += 1;
            self.over += u64::from(seen.accepted > limit);
            self.most = self.most.max(seen.accepted);
            let above = seen.accepted.saturating_sub(limit);
            if above * self.closest.1.max(1) > self.closest.0 * seen.epsilon.max(1) {
                self.closest = (above, seen.epsilon);
            }
        }
        self.runs += 1;
        self.utilisation += tally.utilisation(limit);
        self.calls += tally.calls;
        self.waited += tally.waited;
        self.strays += tally.strays;
        self.requests += tally.requests;
    }

    pub fn utilisation(&self) -> f64 {
        self.utilisation / self.runs as f64
    }

    /// A row of a table.
    pub fn row(&self, limit: u64) -> String {
        let each = |number: u64| number as f64 / self.requests as f64;
        format!(
            "worst {:.3} L | {} of {} windows over | {} strays | closest to its bound: {} of {} | used {:.1} % | {:.3} calls a request | {:.1} % waited",
            self.most as f64 / limit as f64,
            self.over,
            self.windows,
            self.strays,
            self.closest.0,
            self.closest.1,
            self.utilisation() * 100.0,
            each(self.calls),
            each(self.waited) * 100.0,
        )
    }
}
