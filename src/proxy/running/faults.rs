//! Logs faults to the process log: the first at once, then at most one line a minute for each operation and kind, with a count.
//! The access log has a line for each request.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use tollgate_filter_api::{Fault, LogLimiter, OperationInfo};

/// The faults of one operation that were logged, by their codes: those are constants, so there are few.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<(&'static str, LogLimiter)>>);

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
        let place = all.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
            all.push((id, LogLimiter::default()));
            all.len() - 1
        });
        all[place].1.allow(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_fault_does_not_silence_another() {
        let (faults, now) = (Faults::default(), Instant::now());
        assert_eq!(faults.held_back("jwt.keys_unavailable", now), Some(0));
        assert_eq!(faults.held_back("introspection.down", now), Some(0));
        assert_eq!(faults.held_back("introspection.down", now), None);
    }
}
