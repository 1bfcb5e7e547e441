//! Log lines about something that may happen all the time.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One line for so long.
const GAP: Duration = Duration::from_secs(60);

/// Allows a line now and then.
#[derive(Default)]
pub(super) struct Quiet(Mutex<Option<Instant>>);

impl Quiet {
    /// Whether a line may be written now; if so, none may for a minute.
    pub fn may_log(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|last| last.elapsed() >= GAP);
        if may {
            *last = Some(Instant::now());
        }
        may
    }
}
