//! Operations that are open to everybody because what they ask for is waived, by the project or by this environment.

use std::collections::BTreeMap;

use tollgate_filter_api::{Kind, Problem};
use tollgate_plan::{Api, Demand, Operation, Plan, Security};

use super::inputs::Inputs;
use crate::config::{Waivers, gives_principal};

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
        Waived { filter: filter.to_owned(), opened: opened.len(), named: plan.list(opened) }
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
fn opened_here<'p>(security: &'p Security, waivers: Waivers<'_>) -> Vec<&'p str> {
    let asks = security.alternatives.iter().all(|alternative| !alternative.credentials.is_empty());
    if !asks || !is_open(security, waivers) {
        return Vec::new();
    }
    let mut filters: Vec<&str> = credentials(security).collect();
    filters.sort_unstable();
    filters.dedup();
    filters
}

/// Whether nobody has to bring anything.
fn is_open(security: &Security, waivers: Waivers<'_>) -> bool {
    credentials(security).all(|filter| waivers.has(filter))
}

fn credentials(security: &Security) -> impl Iterator<Item = &str> {
    security.alternatives.iter().flat_map(|alternative| &alternative.credentials).map(|credential| credential.filter.as_str())
}

/// What keeps the gateway from starting: operations that a waiver opens without leave, and open ones with rules of their own for
/// credentials that nobody has to bring.
pub(super) fn problems(inputs: &Inputs<'_>) -> Vec<Problem> {
    let mut opened: BTreeMap<&str, Vec<(&Api, &Operation)>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (api, operation) in operations(inputs.plan) {
        for filter in opened_here(&operation.security, inputs.waivers).into_iter().filter(|filter| !inputs.waivers.may_open(filter)) {
            opened.entry(filter).or_default().push((api, operation));
        }
        if is_open(&operation.security, inputs.waivers) {
            problems.extend(operation.demands.iter().filter_map(|demand| asked_in_vain(inputs, operation, demand)));
        }
    }
    problems.extend(opened.into_iter().map(|(filter, operations)| without_leave(inputs, filter, &operations)));
    problems
}

fn without_leave(inputs: &Inputs<'_>, filter: &str, operations: &[(&Api, &Operation)]) -> Problem {
    let many = if operations.len() == 1 { "1 operation".to_owned() } else { format!("{} operations", operations.len()) };
    let named = inputs.plan.list(operations.iter().copied());
    let problem = Problem::error("chain.opens", format!("to waive `{filter}` would open {many} to everybody: {named}"));
    let hint = format!("ask for another credential there, or write `waive_to_open: [{filter}]` to let everybody in");
    problem.hint(hint).at(inputs.spec.file.as_str(), 0, inputs.waivers.place(filter))
}

/// An open operation's own rules for credentials. Rules of the whole API are for its other operations.
fn asked_in_vain(inputs: &Inputs<'_>, operation: &Operation, demand: &Demand) -> Option<Problem> {
    let (filter, source) = (demand.filter.as_str(), &demand.source);
    let within = source.pointer.strip_prefix(&operation.source.pointer).is_some_and(|rest| rest.starts_with('/'));
    let is_own = within && source.document == operation.source.document;
    let judges = |kind: &Kind| kind.id == filter && (kind.credentials_only || gives_principal(kind));
    if !is_own || inputs.waivers.has(filter) || !inputs.kinds.iter().any(judges) {
        return None;
    }
    let message = format!("`{}` is open to everybody, so that its settings for `{filter}` ask nobody for anything", operation.id);
    let problem = Problem::error("chain.not_enforced", message);
    let file = inputs.plan.documents.get(source.document as usize).map_or("", |document| document.path.as_str());
    let hint = format!("list a credential under `security`, or remove `x-tollgate-{filter}`");
    Some(problem.hint(hint).at(file, source.line, source.pointer.as_str()))
}
