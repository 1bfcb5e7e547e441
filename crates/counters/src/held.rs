//! A unit of a concurrency limit, given back when it is dropped.

use std::ops::Deref;

use crate::{counters::Counters, key::Key};

/// One unit of a concurrency limit. Make one for each such ask that was told `counted`, at once, and keep it as long as the request.
#[derive(Debug)]
pub struct Held<C: Deref<Target = Counters>> {
    counters: C,
    key: Key,
}

impl<C: Deref<Target = Counters>> Held<C> {
    /// Takes over the unit that [`Counters::decide`] has counted for that key.
    pub fn new(counters: C, key: Key) -> Self {
        Self { counters, key }
    }
}

impl<C: Deref<Target = Counters>> Drop for Held<C> {
    fn drop(&mut self) {
        self.counters.release(self.key);
    }
}
