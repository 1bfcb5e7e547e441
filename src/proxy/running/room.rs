//! How many bytes of answers the process may hold for filters that read them whole.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::telemetry::IntCounter;

/// Bytes that all held answers together may have.
#[derive(Debug)]
pub struct Room {
    left: AtomicUsize,
    met: IntCounter,
}

impl Room {
    /// So many bytes.
    pub fn new(bytes: u64, met: IntCounter) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(usize::try_from(bytes).unwrap_or(usize::MAX)), met })
    }
}

/// What one answer has of it; comes back when this is dropped.
#[derive(Debug)]
pub struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Share {
    /// Nothing yet.
    pub fn of(room: &Arc<Room>) -> Self {
        Self { room: room.clone(), bytes: 0 }
    }

    /// Takes more, so that it has so many bytes. `false` when there are none left.
    pub fn grow(&mut self, to: usize) -> bool {
        let more = to.saturating_sub(self.bytes);
        let taken = self.room.left.try_update(Relaxed, Relaxed, |left| left.checked_sub(more)).is_ok();
        if taken {
            self.bytes += more;
        } else {
            self.room.met.inc();
        }
        taken
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes, Relaxed);
    }
}
