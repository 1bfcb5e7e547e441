//! What of a definition traffic has used, and what was found wrong: counted per operation, for the operator.
//!
//! The gateway makes one [`Ledger`] and offers it under [`NAME`], so that counts outlive a reload; a filter that finds none makes its own.
//! A request adds one to a few numbers, without lock or allocation. Only what is wrong, and one body in 64, costs more.
//!
//! Memory is bounded by the size of the definition and by limits of the ledger's own; nothing that a client sends makes it grow further. No value
//! is kept, and no name that only a client knows. What it does not protect against: a restart, which forgets everything, and other gateways, which
//! count for themselves.

mod findings;
mod places;
mod record;
mod records;
mod samples;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tollgate_filter_api::{Env, OperationInfo, Problem};

use self::{findings::Room, record::Book, samples::PLACES};
use crate::rules::OperationRules;

pub use findings::{Counted, Found};
pub use record::{Record, Used};
pub use records::Records;
pub use samples::{Place, Sampled};

/// The name under which filters find it among [`Env::shared`].
pub const NAME: &str = "validation";

/// The name under which the Plan has the rules of an operation, and the schemas of the project.
pub const DECLARED: &str = "validate";

/// An operation: title and version of its API, and its id.
type Key = (String, String, String);

/// The counts of all operations.
#[derive(Debug)]
pub struct Ledger {
    books: Mutex<HashMap<Key, Arc<Book>>>,
    /// For the findings of all operations.
    room: Arc<Room>,
    /// For the places of all schemas that were sampled.
    places: Arc<Room>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { books: Mutex::default(), room: Arc::new(Room::of(findings::ALL)), places: Arc::new(Room::of(PLACES)) }
    }
}

impl Ledger {
    /// What the gateway offers; in a world that offers none, an empty one that lives as long as somebody uses it.
    ///
    /// # Errors
    /// When what is offered under the name is something else.
    pub fn of(env: &Env) -> Result<Arc<Self>, Problem> {
        env.shared.get_or_make(NAME, || Ok(Self::default()))
    }

    /// Where an operation with these rules counts. What an earlier configuration counted goes on where the operation, and place and name of
    /// a parameter, or the media type of a body, are the same. [`Records`] finds it for a request.
    pub fn operation(&self, info: &OperationInfo, rules: &OperationRules) -> Arc<Record> {
        let key = (info.api.clone(), info.version.clone(), info.id.clone());
        let book = self.books().entry(key).or_insert_with(|| Arc::new(Book::new(self.room.clone(), self.places.clone()))).clone();
        Record::new(&book, rules)
    }

    /// Forgets the operations that are none of these: title and version of the API, and id. The gateway does so once a configuration is in force.
    pub fn keep<'a>(&self, operations: impl Iterator<Item = (&'a str, &'a str, &'a str)>) {
        let kept: HashSet<_> = operations.collect();
        self.books().retain(|(api, version, id), _| kept.contains(&(api.as_str(), version.as_str(), id.as_str())));
    }

    /// What was counted of an operation; `None` when nobody counts there.
    pub fn used(&self, api: &str, version: &str, id: &str) -> Option<Used> {
        let key = (api.to_owned(), version.to_owned(), id.to_owned());
        let book = self.books().get(&key)?.clone();
        Some(book.used())
    }

    fn books(&self) -> MutexGuard<'_, HashMap<Key, Arc<Book>>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
