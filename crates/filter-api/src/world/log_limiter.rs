//! Lines in the process log about something that may happen all the time.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Shortest time between two lines.
const PAUSE: Duration = Duration::from_secs(60);

/// Allows one line a minute about one thing: a source that is down would fill the disk otherwise.
#[derive(Debug, Default)]
pub struct LogLimiter(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimiter {
    /// Whether a line may be written now, and how many were not allowed since the last one. The first is allowed at once.
    pub fn allow(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_allowed_and_the_others_are_counted() {
        let (limiter, begin) = (LogLimiter::default(), Instant::now());
        let allowed = |seconds| limiter.allow(begin + Duration::from_secs(seconds));
        assert_eq!(allowed(0), Some(0));
        for _ in 0..1000 {
            assert_eq!(allowed(59), None);
        }
        assert_eq!(allowed(60), Some(1000));
        assert_eq!(allowed(119), None);
        assert_eq!(allowed(120), Some(1));
    }
}
