//! Who uses most, for the operator: a list of bounded length, estimated from samples.
//!
//! Of requests that pass one in [`SAMPLE`] is noted, and stands for all of them; a request that is over a limit is always noted. When the
//! list is full, the least of it makes place and leaves its count to the newcomer (*space saving*, Metwally 2005): whoever uses most is on the
//! list, and is not counted too low by more than the samples are wrong. Counts halve every minute, so the list shows the last minutes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

use serde::Serialize;

/// One in so many requests that pass is noted.
pub const SAMPLE: u64 = 64;

/// Most keys on the list.
const PLACES: usize = 256;

/// Longest text of a key; the rest is cut off.
const LONGEST: usize = 200;

/// Whoever is noted.
type Name = (Arc<str>, Box<str>);

/// The list.
#[derive(Default)]
pub struct Top(Mutex<HashMap<Name, Used>>);

/// How much one has used, about.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    requests: u64,
    over: u64,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The policy.
    pub policy: String,
    /// Whose requests it counts together.
    pub key: String,
    /// Requests in the last minutes, about: those of the last minute in full, those of the one before by half, and so on.
    pub requests: u64,
    /// Requests of these that were over the limit.
    pub over: u64,
}

impl Top {
    /// Notes a request. Who is in another's way leaves it out.
    pub fn note(&self, policy: &Arc<str>, key: &str, over: bool) {
        let mut all = match self.0.try_lock() {
            Ok(all) => all,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let end = key.floor_char_boundary(LONGEST);
        let name: Name = (policy.clone(), key[..end].into());
        let (requests, is_over) = if over { (1, 1) } else { (SAMPLE, 0) };
        let place = if all.contains_key(&name) { Used::default() } else { make_place(&mut all) };
        let used = all.entry(name).or_insert(place);
        used.requests += requests;
        used.over += is_over;
    }

    /// Halves all counts.
    pub fn fade(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, used| {
            *used = Used { requests: used.requests / 2, over: used.over / 2 };
            used.requests > 0
        });
    }

    /// The list, from the top.
    pub fn lines(&self, most: usize) -> Vec<Line> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |((policy, key), used): (&Name, &Used)| Line {
            policy: policy.to_string(),
            key: key.to_string(),
            requests: used.requests,
            over: used.over,
        };
        let mut lines: Vec<Line> = all.iter().map(line).collect();
        lines.sort_by(|one, other| (other.requests, other.over, &one.key).cmp(&(one.requests, one.over, &other.key)));
        lines.truncate(most);
        lines
    }
}

/// What the newcomer inherits.
fn make_place(all: &mut HashMap<Name, Used>) -> Used {
    if all.len() < PLACES {
        return Used::default();
    }
    let least = all.iter().min_by_key(|(_, used)| used.requests).map(|(name, _)| name.clone());
    let left = least.and_then(|name| all.remove(&name)).unwrap_or_default();
    // How often the other one was over its limit says nothing of this one.
    Used { requests: left.requests, over: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_uses_most_is_found_among_any_number_of_others() {
        let (top, policy): (Top, Arc<str>) = (Top::default(), "gold".into());
        for round in 0..20_000 {
            if round % 10 == 0 {
                top.note(&policy, "heavy", false);
            }
            top.note(&policy, &format!("light {round}"), false);
        }
        for _ in 0..3 {
            top.note(&policy, "refused", true);
        }
        let lines = top.lines(3);
        assert_eq!((lines.len(), &*lines[0].key), (3, "heavy"));
        assert!(lines[0].requests >= 2_000 * SAMPLE, "never too low: {}", lines[0].requests);
        assert!(top.0.lock().unwrap().len() <= PLACES);
        let refused = top.lines(PLACES).into_iter().find(|line| line.key == "refused");
        assert_eq!(refused.map(|line| line.over), Some(3));
        for _ in 0..64 {
            top.fade();
        }
        assert!(top.lines(1).is_empty());
    }

    #[test]
    fn a_long_key_is_cut() {
        let top = Top::default();
        top.note(&"gold".into(), &"ä".repeat(500), true);
        assert!(top.lines(1)[0].key.len() <= LONGEST);
    }
}
