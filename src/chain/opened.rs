//! Operations that are open to everybody because what they ask for is waived, by the project or by this environment.

use tollgate_plan::{Api, Operation, Plan, Security};

use crate::config::Waivers;

/// A filter that is waived, and what that opens.
#[derive(Debug, PartialEq)]
pub struct Waived {
    /// The filter's ID.
    pub filter: String,
    /// How many operations are open because of it.
    pub opened: usize,
    /// The first of them, in words.
    pub named: String,
}

/// Everything that is waived, sorted.
pub fn waived(plan: &Plan, waivers: Waivers<'_>) -> Vec<Waived> {
    let mut filters: Vec<&str> = plan.waived.iter().map(String::as_str).chain(waivers.all()).collect();
    filters.sort_unstable();
    filters.dedup();
    let each = |filter: &str| {
        let is_opened = |(_, operation): &(&Api, &Operation)| opened_by(&operation.security, waivers).contains(&filter);
        let opened: Vec<(&Api, &Operation)> = operations(plan).filter(is_opened).collect();
        Waived { filter: filter.to_owned(), opened: opened.len(), named: plan.named(opened) }
    };
    filters.into_iter().map(each).collect()
}

fn operations(plan: &Plan) -> impl Iterator<Item = (&Api, &Operation)> {
    plan.apis.iter().flat_map(|api| api.operations.iter().map(move |operation| (api, operation)))
}

/// The filters without which an operation is open: nothing else was asked for.
fn opened_by<'p>(security: &'p Security, waivers: Waivers<'_>) -> Vec<&'p str> {
    if security.is_opened() {
        return security.waived.iter().map(String::as_str).collect();
    }
    opened_here(security, waivers)
}

/// The same, as far as this environment alone is to blame.
pub(super) fn opened_here<'p>(security: &'p Security, waivers: Waivers<'_>) -> Vec<&'p str> {
    let alternatives = &security.alternatives;
    let asks = alternatives.iter().all(|alternative| !alternative.credentials.is_empty());
    let mut filters: Vec<&str> = alternatives.iter().flat_map(|all| &all.credentials).map(|one| one.filter.as_str()).collect();
    if !asks || filters.iter().any(|filter| !waivers.has(filter)) {
        return Vec::new();
    }
    filters.sort_unstable();
    filters.dedup();
    filters
}
