//! Checks that some listener asks for client certificates where operations need one, and that rules for single APIs name APIs
//! that are served.
//!
//! One listener that asks is enough: at start it is not known which listener the clients of an operation use.

use std::collections::BTreeSet;

use tollgate_filter_api::{Kind, Problem, Problems};
use tollgate_plan::{Alternative, Credential, Operation, Plan};

use crate::config::{ChainSpec, Gateway, Waivers};

/// Finds operations that need a certificate while no listener asks for one, so that nobody could call them.
///
/// # Errors
/// One for each place that demands a certificate.
pub fn check(plan: &Plan, gateway: &Gateway, kinds: &[Kind]) -> Result<(), Problems> {
    let asks = gateway.listeners.iter().any(|listener| listener.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some()));
    if asks {
        return Ok(());
    }
    let (mut problems, mut reported) = (Problems::default(), BTreeSet::new());
    for operation in plan.apis.iter().flat_map(|api| &api.operations) {
        let Some(Credential { source, filter, .. }) = needed(operation, gateway.waivers(), kinds) else { continue };
        if !gateway.waivers().has(filter) && reported.insert((source.document, source.line, source.pointer.clone())) {
            let message = format!("`{}` cannot be called without a client certificate, and no listener asks for one", operation.id);
            let hint = format!("add `tls.client_auth` to a listener, or `waive: [{filter}]`");
            let file = plan.documents.get(source.document as usize).map_or("", |document| document.path.as_str());
            problems.push(Problem::error("tls.not_asked", message).hint(hint).at(file, source.line, source.pointer.as_str()));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

/// APIs that a filter has rules for and that are not served here, each behind the filter's ID. A name that is misspelt leaves its API to
/// the rules for all.
pub fn unserved_apis(plan: &Plan, chain: &ChainSpec, kinds: &[Kind]) -> BTreeSet<(&'static str, String)> {
    let served = |name: &str, version: &str| plan.apis.iter().any(|api| api.title == name && (version == "*" || api.version == version));
    let mut unserved = BTreeSet::new();
    for spec in chain.filters() {
        let Some(kind) = kinds.iter().find(|kind| kind.id == spec.id) else { continue };
        let named = (kind.named_apis)(&spec.settings).into_iter().filter(|(name, version)| !served(name, version));
        unserved.extend(named.map(|(name, version)| (kind.id, format!("{name} {version}"))));
    }
    unserved
}

/// The certificate that every alternative in force has among its credentials. An alternative of which a part is waived is in
/// force only when there is no other.
fn needed<'a>(operation: &'a Operation, waivers: Waivers<'_>, kinds: &[Kind]) -> Option<&'a Credential> {
    let is_certificate =
        |credential: &&Credential| kinds.iter().any(|kind| kind.certificate && kind.accepts.contains(&credential.filter.as_str()));
    let all = &operation.security.alternatives;
    let whole = |alternative: &&Alternative| !alternative.credentials.iter().any(|credential| waivers.has(&credential.filter));
    let mut enforced: Vec<&Alternative> = all.iter().filter(whole).collect();
    if enforced.is_empty() {
        enforced = all.iter().collect();
    }
    let certificates = enforced.into_iter().map(|alternative| alternative.credentials.iter().find(is_certificate));
    certificates.collect::<Option<Vec<_>>>()?.first().copied()
}
