//! Until when a broker's word is known, over a restart: a small file beside the journal. Its content says which subscription,
//! its modification time says until when.
//!
//! It is not synced: after a loss of power it says an earlier time, which is the safe side. Whoever may write it may claim that
//! more is known than is.

use std::{
    fs::File,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// Longest content that is looked at.
const LONGEST: u64 = 8 << 10;

#[derive(Debug)]
pub(crate) struct Mark {
    path: PathBuf,
    subscription: String,
    written: bool,
}

impl Mark {
    pub fn new(path: PathBuf, subscription: &str) -> Self {
        Self { path, subscription: subscription.to_owned(), written: false }
    }

    /// How long ago everything of this subscription was known; `None` when that was never written, or is said of the future.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let file = File::open(&self.path).ok()?;
        let until = file.metadata().and_then(|meta| meta.modified()).ok()?;
        let mut content = String::new();
        file.take(LONGEST).read_to_string(&mut content).ok()?;
        (content == self.subscription).then(|| now.duration_since(until).ok())?
    }

    /// Everything is known until now.
    pub fn set(&mut self, now: SystemTime) -> std::io::Result<()> {
        let file = File::options().create(true).truncate(!self.written).write(true).mode(0o600).open(&self.path)?;
        if !self.written {
            (&file).write_all(self.subscription.as_bytes())?;
            self.written = true;
        }
        file.set_modified(now)
    }
}
