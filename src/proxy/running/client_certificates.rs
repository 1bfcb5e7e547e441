//! Whether anybody is asked for the certificates that operations cannot be called without.
//!
//! One listener that asks is enough: which listener a client of an operation uses is not known at start. And whether what is said of
//! single APIs is said of ones that are served.

use std::collections::BTreeSet;

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Alternative, Credential, Operation, Plan};

use crate::config::{ChainSpec, Gateway, Waivers};

/// The filter that checks client certificates.
const MTLS: &str = "mtls";

/// Looks for operations that need a certificate where no listener asks for one: nobody could call them.
///
/// # Errors
/// Each place that demands one, once.
pub fn certificates(plan: &Plan, gateway: &Gateway) -> Result<(), Problems> {
    let asks = gateway.listeners.iter().any(|listener| listener.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some()));
    if asks || gateway.waivers().has(MTLS) {
        return Ok(());
    }
    let (mut problems, mut told) = (Problems::default(), BTreeSet::new());
    for operation in plan.apis.iter().flat_map(|api| &api.operations) {
        let Some(Credential { source, .. }) = needed(operation, gateway.waivers()) else { continue };
        if told.insert((source.document, source.line, source.pointer.clone())) {
            let message = format!("`{}` cannot be called without a client certificate, and no listener asks for one", operation.id);
            let hint = "add `tls.client_auth` to a listener, or `waive: [mtls]`";
            let file = plan.documents.get(source.document as usize).map_or("", |document| document.path.as_str());
            problems.push(Problem::error("tls.not_asked", message).hint(hint).at(file, source.line, source.pointer.as_str()));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

/// APIs that `mtls` has rules for and that are not served here. A name that is misspelt leaves its API to the rules for all.
pub fn strangers(plan: &Plan, chain: &ChainSpec) -> BTreeSet<String> {
    let entries = chain.filters().filter(|spec| spec.id == MTLS).filter_map(|spec| spec.settings["apis"].as_array()).flatten();
    let named = entries.filter_map(|entry| Some((entry["name"].as_str()?, entry["version"].as_str().unwrap_or("*"))));
    let served = |name: &str, version: &str| plan.apis.iter().any(|api| api.title == name && (version == "*" || api.version == version));
    named.filter(|(name, version)| !served(name, version)).map(|(name, version)| format!("{name} {version}")).collect()
}

/// The certificate that every alternative in force has among its credentials. An alternative of which a part is waived is in
/// force only when there is no other.
fn needed<'a>(operation: &'a Operation, waivers: Waivers<'_>) -> Option<&'a Credential> {
    let all = &operation.security.alternatives;
    let whole = |alternative: &&Alternative| !alternative.credentials.iter().any(|credential| waivers.has(&credential.filter));
    let mut enforced: Vec<&Alternative> = all.iter().filter(whole).collect();
    if enforced.is_empty() {
        enforced = all.iter().collect();
    }
    let certificates = enforced.into_iter().map(|alternative| alternative.credentials.iter().find(|credential| credential.filter == MTLS));
    certificates.collect::<Option<Vec<_>>>()?.first().copied()
}
