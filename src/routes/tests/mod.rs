//! Tests of the routes, with a generator that needs no dependency.

mod ambiguity;
mod choices;
mod hosts;
mod paths;
pub(in crate::routes) mod routing;
mod scale;
mod spellings;

use std::sync::LazyLock;

use super::{Asked, Reading};

static NO_FIELDS: LazyLock<http::HeaderMap> = LazyLock::new(http::HeaderMap::new);

/// A request of which the host does not matter.
pub(super) fn asked<'r>(path: &'r str, reading: Option<&'r Reading>, method: &'r str, secure: bool) -> Asked<'r> {
    Asked { host: "a.example", path, reading, query: None, method, headers: &NO_FIELDS, secure }
}

/// A seeded generator (xorshift64*): the same cases on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(super) fn pick<'t, T: ?Sized>(&mut self, list: &[&'t T]) -> &'t T {
        list[self.below(list.len())]
    }
}
