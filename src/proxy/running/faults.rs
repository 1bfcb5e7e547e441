//! Logs faults to the process log: the first at once, then at most one line a minute for each operation and kind, with a count.
//!
//! Without that limit, an issuer that is down would fill the disk. The access log has a line for each request.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tollgate_filter_api::{Fault, OperationInfo};

/// Shortest time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// The faults of one operation that were logged.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Logged>>);

#[derive(Debug)]
struct Logged {
    /// The fault's code: a constant, so there are few.
    id: &'static str,
    at: Instant,
    held_back: u64,
}

impl Faults {
    /// Logs a fault, or counts it for the next line.
    pub fn log(&self, operation: &OperationInfo, fault: &Fault, now: Instant) {
        if let Some(held_back) = self.held_back(fault.id, now) {
            let OperationInfo { api, version, id, .. } = operation;
            match held_back {
                0 => log::warn!("{api} {version} {id}: {fault}"),
                _ => log::warn!("{api} {version} {id}: {fault}; {held_back} more since the last line about it"),
            }
        }
    }

    /// How many were held back since the last line, when it is time for one.
    fn held_back(&self, id: &'static str, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|logged| logged.id == id) {
            None => {
                all.push(Logged { id, at: now, held_back: 0 });
                Some(0)
            }
            Some(logged) if now.saturating_duration_since(logged.at) >= PAUSE => {
                logged.at = now;
                Some(std::mem::take(&mut logged.held_back))
            }
            Some(logged) => {
                logged.held_back += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_logged_once_a_minute_with_how_many_were_held_back() {
        let (faults, begin) = (Faults::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(faults.held_back("jwt.keys_unavailable", at(0)), Some(0));
        for _ in 0..1000 {
            assert_eq!(faults.held_back("jwt.keys_unavailable", at(59)), None);
        }
        assert_eq!(faults.held_back("jwt.keys_unavailable", at(60)), Some(1000));
        assert_eq!(faults.held_back("jwt.keys_unavailable", at(119)), None);
        assert_eq!(faults.held_back("jwt.keys_unavailable", at(120)), Some(1));
    }

    #[test]
    fn one_kind_of_fault_does_not_silence_another() {
        let (faults, now) = (Faults::default(), Instant::now());
        assert_eq!(faults.held_back("jwt.keys_unavailable", now), Some(0));
        assert_eq!(faults.held_back("introspection.down", now), Some(0));
        assert_eq!(faults.held_back("introspection.down", now), None);
    }
}
