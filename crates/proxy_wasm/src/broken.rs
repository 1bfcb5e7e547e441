//! Why a guest could not be run to its end.

use std::fmt;

/// A callback that came to nothing. The instance is of no more use, unless the guest only asked for what it may not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Of what kind.
    pub kind: Kind,
    text: String,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It trapped, panicked, or ran out of memory.
    Trap,
    /// It took longer than it may.
    Time,
    /// It wrote what it may not write.
    Refused,
    /// It waits for something that never comes, or waits where nothing can be waited for.
    Paused,
    /// It closed the stream.
    Closed,
}

impl Broken {
    pub(crate) fn new(kind: Kind, text: String) -> Self {
        Self { kind, text }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Broken {}
