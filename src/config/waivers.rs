//! What an environment does not enforce.

use super::Gateway;

/// The two lists: what may stay unenforced where another credential is left, and what also where none is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waivers<'g> {
    waive: &'g [String],
    to_open: &'g [String],
}

impl<'g> Waivers<'g> {
    /// `waive` and `waive_to_open`.
    pub fn new(waive: &'g [String], to_open: &'g [String]) -> Self {
        Self { waive, to_open }
    }

    /// Whether nobody has to enforce what is demanded of a filter.
    pub fn has(&self, filter: &str) -> bool {
        self.all().any(|id| id == filter)
    }

    /// Whether a filter's credential may go although no other is left.
    pub fn may_open(&self, filter: &str) -> bool {
        self.to_open.iter().any(|id| id == filter)
    }

    /// Where a filter stands in `waive`.
    pub fn place(&self, filter: &str) -> String {
        self.waive.iter().position(|id| id == filter).map_or("/waive".to_owned(), |index| format!("/waive/{index}"))
    }

    /// The filters of both.
    pub fn all(&self) -> impl Iterator<Item = &'g str> + use<'g> {
        self.waive.iter().chain(self.to_open).map(String::as_str)
    }
}

impl Gateway {
    /// What this environment does not enforce.
    pub fn waivers(&self) -> Waivers<'_> {
        Waivers::new(&self.waive, &self.waive_to_open)
    }
}
