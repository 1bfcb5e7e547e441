//! Who is counted together.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use tollgate_counters::{self as counters, Ask, Counters};
use tollgate_filter_api::OperationInfo;

use crate::limits::{
    part::{Part, PartValue, Seen},
    policies::Named,
};

/// Most parts of a key.
pub(crate) const PARTS: usize = 4;

/// What tells those apart who are counted apart.
#[derive(Debug)]
pub(crate) struct Key {
    /// What the parts are. Limits that share a policy and nothing else do not share counters.
    name: Box<str>,
    parts: Vec<Part>,
    /// A client can have as many as it likes.
    chosen: bool,
    /// Keys that depend on nothing but the operation.
    known: Option<OfOperations>,
}

impl Key {
    pub(crate) fn new(name: &str, parts: Vec<Part>) -> Self {
        Self { name: name.into(), chosen: parts.iter().any(Part::is_chosen_by_clients), parts, known: None }
    }

    /// For one policy: what depends on nothing but the operation is hashed once.
    pub(crate) fn of_one_policy(self) -> Self {
        let known = self.parts.iter().all(Part::is_of_operation).then(OfOperations::default);
        Self { known, ..self }
    }

    pub(crate) fn is_chosen_by_clients(&self) -> bool {
        self.chosen
    }

    /// What a request asks of a policy.
    pub(crate) fn ask<'p>(&self, named: &'p Named, counters: &Counters, seen: Seen<'_>) -> Ask<'p> {
        if named.policy.is_shared() {
            return self.parts_of(seen, |parts| Ask::shared(&named.policy, counters.shared_key(&named.policy, parts)));
        }
        let hashed = || self.parts_of(seen, |parts| counters.key(&named.policy, parts));
        Ask::new(
            &named.policy,
            match &self.known {
                Some(known) => known.get(&seen.call.operation, hashed),
                None => hashed(),
            },
        )
    }

    /// Who it is, for the operator.
    pub(crate) fn shown(&self, seen: Seen<'_>) -> String {
        let parts: Vec<String> = self.parts.iter().map(|part| part.shown(seen)).filter(|text| !text.is_empty()).collect();
        format!("{}: {}", self.name, parts.join(" "))
    }

    fn parts_of<T>(&self, seen: Seen<'_>, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let mut values = [const { PartValue::Text(Cow::Borrowed(&[])) }; PARTS];
        for (place, part) in values.iter_mut().zip(&self.parts) {
            *place = part.of(seen);
        }
        let mut all = [&[] as &[u8]; PARTS + 1];
        all[0] = self.name.as_bytes();
        for (place, value) in all[1..].iter_mut().zip(&values) {
            *place = value;
        }
        then(&all[..=self.parts.len()])
    }
}

/// Operations whose keys are remembered. One that finds its place taken is hashed each time.
const PLACES: usize = 64;

/// The keys of operations.
#[derive(Debug)]
struct OfOperations(Box<[Place]>);

type Place = OnceLock<(Arc<OperationInfo>, counters::Key)>;

impl Default for OfOperations {
    fn default() -> Self {
        Self((0..PLACES).map(|_| Place::new()).collect())
    }
}

impl OfOperations {
    fn get(&self, operation: &Arc<OperationInfo>, hashed: impl Fn() -> counters::Key) -> counters::Key {
        // By its place in memory, which nothing else can take while it is held here.
        let place = (Arc::as_ptr(operation) as usize / size_of::<OperationInfo>()) % PLACES;
        let (known, key) = self.0[place].get_or_init(|| (operation.clone(), hashed()));
        if Arc::ptr_eq(known, operation) { *key } else { hashed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_counters::{DEFAULT_MAX_KEYS, Moment};

    #[test]
    fn an_operation_has_its_own_key_whether_it_is_remembered_or_not() {
        let now = Moment { wall: std::time::SystemTime::now(), instant: std::time::Instant::now() };
        let counters = Counters::new(now, DEFAULT_MAX_KEYS);
        let policy = counters::Policy::concurrent("one", 1).unwrap();
        let known = OfOperations::default();
        let operations: Vec<_> = (0..4 * PLACES).map(|_| Arc::new(OperationInfo::default())).collect();
        for round in 0..2 {
            for (number, operation) in operations.iter().enumerate() {
                let key = counters.key(&policy, &[&number.to_le_bytes()]);
                assert_eq!(known.get(operation, || key), key, "round {round}, operation {number}");
            }
        }
    }
}
