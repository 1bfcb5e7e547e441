//! What the process log is told of faults: the first at once, then one line a minute for each operation and kind, with a count.
//!
//! An issuer that is down would otherwise fill a disk. The access log has each of them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tollgate_filter_api::{Fault, OperationInfo};

/// Least time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// What was said about the faults of one operation.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Told>>);

#[derive(Debug)]
struct Told {
    /// A constant of a filter, so there are few.
    id: &'static str,
    at: Instant,
    untold: u64,
}

impl Faults {
    /// Says it, or counts it.
    pub fn tell(&self, operation: &OperationInfo, fault: &Fault, now: Instant) {
        if let Some(untold) = self.untold(fault.id, now) {
            let OperationInfo { api, version, id, .. } = operation;
            match untold {
                0 => log::warn!("{api} {version} {id}: {fault}"),
                _ => log::warn!("{api} {version} {id}: {fault}; {untold} more since the last line about it"),
            }
        }
    }

    /// How many were held back since the last line, when it is time for one.
    fn untold(&self, id: &'static str, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|told| told.id == id) {
            None => {
                all.push(Told { id, at: now, untold: 0 });
                Some(0)
            }
            Some(told) if now.saturating_duration_since(told.at) >= PAUSE => {
                told.at = now;
                Some(std::mem::take(&mut told.untold))
            }
            Some(told) => {
                told.untold += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_once_a_minute_with_how_many_were_held_back() {
        let (faults, begin) = (Faults::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(faults.untold("jwt.keys_unavailable", at(0)), Some(0));
        for _ in 0..1000 {
            assert_eq!(faults.untold("jwt.keys_unavailable", at(59)), None);
        }
        assert_eq!(faults.untold("jwt.keys_unavailable", at(60)), Some(1000));
        assert_eq!(faults.untold("jwt.keys_unavailable", at(119)), None);
        assert_eq!(faults.untold("jwt.keys_unavailable", at(120)), Some(1));
    }

    #[test]
    fn one_kind_of_fault_does_not_silence_another() {
        let (faults, now) = (Faults::default(), Instant::now());
        assert_eq!(faults.untold("jwt.keys_unavailable", now), Some(0));
        assert_eq!(faults.untold("introspection.down", now), Some(0));
        assert_eq!(faults.untold("introspection.down", now), None);
    }
}
