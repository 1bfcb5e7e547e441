//! Checks that each credential can reach the filter that verifies it: not in a field that is removed before.

use std::collections::HashSet;

use tollgate_filter_api::{Carrier, Problem, Problems};
use tollgate_plan::Plan;

use crate::{
    chain::Chain,
    judge::fields::families::{Families, Kind},
};

/// Finds credentials that nobody could present. `trusting` says whether fields of some proxies pass.
///
/// # Errors
/// Each API and field, once.
pub fn check<'a>(plan: &Plan, chains: impl Iterator<Item = &'a Chain>, families: &Families, trusting: bool) -> Result<(), Problems> {
    let (mut problems, mut reported) = (Problems::default(), HashSet::new());
    let operations = plan.apis.iter().enumerate().flat_map(|(api, found)| found.operations.iter().map(move |operation| (api, operation)));
    for ((api, operation), chain) in operations.zip(chains) {
        for name in chain.carriers().filter_map(header) {
            let hint = match families.kind_of(name.as_str()) {
                Some(Kind::Proxy) if trusting => continue,
                Some(Kind::Proxy) => "name another header, list this one in `forwarding.pass`, or `trusted_proxies` that write it",
                Some(Kind::Own | Kind::Certificate) => "name another header",
                _ => continue,
            };
            if reported.insert((api, name.clone())) {
                let message = format!("`{}` takes a credential from `{name}`, which is taken away before any filter runs", operation.id);
                let source = &operation.source;
                let file = plan.documents.get(source.document as usize).map_or("", |document| document.path.as_str());
                problems.push(Problem::error("forwarding.credential", message).hint(hint).at(file, source.line, source.pointer.as_str()));
            }
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

fn header(carrier: Carrier) -> Option<http::HeaderName> {
    match carrier {
        Carrier::Header(name) => Some(name),
        Carrier::Query(_) | Carrier::Cookie(_) => None,
    }
}
