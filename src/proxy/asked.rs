//! Whether anybody is asked for the certificates that operations cannot be called without.
//!
//! One listener that asks is enough: which listener a client of an operation uses is not known at start.

use std::collections::BTreeSet;

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Alternative, Credential, Operation, Plan};

use crate::config::Gateway;

/// The filter that checks client certificates.
const MTLS: &str = "mtls";

/// Looks for operations that need a certificate where no listener asks for one: nobody could call them.
///
/// # Errors
/// Each place that demands one, once.
pub fn certificates(plan: &Plan, gateway: &Gateway) -> Result<(), Problems> {
    let asks = gateway.listeners.iter().any(|listener| listener.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some()));
    if asks || gateway.waive.iter().any(|id| id == MTLS) {
        return Ok(());
    }
    let (mut problems, mut told) = (Problems::default(), BTreeSet::new());
    for operation in plan.apis.iter().flat_map(|api| &api.operations) {
        let Some(Credential { source, .. }) = needed(operation, &gateway.waive) else { continue };
        if told.insert((source.document, source.line, source.pointer.clone())) {
            let message = format!("`{}` cannot be called without a client certificate, and no listener asks for one", operation.id);
            let hint = "add `tls.client_auth` to a listener, or `waive: [mtls]`";
            let file = plan.documents.get(source.document as usize).map_or("", |document| document.path.as_str());
            problems.push(Problem::error("tls.not_asked", message).hint(hint).at(file, source.line, source.pointer.as_str()));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

/// The certificate that every alternative in force has among its credentials. An alternative of which a part is waived is in
/// force only when there is no other.
fn needed<'a>(operation: &'a Operation, waive: &[String]) -> Option<&'a Credential> {
    let all = &operation.security.alternatives;
    let whole = |alternative: &&Alternative| !alternative.credentials.iter().any(|credential| waive.contains(&credential.filter));
    let mut enforced: Vec<&Alternative> = all.iter().filter(whole).collect();
    if enforced.is_empty() {
        enforced = all.iter().collect();
    }
    let certificates = enforced.into_iter().map(|alternative| alternative.credentials.iter().find(|credential| credential.filter == MTLS));
    certificates.collect::<Option<Vec<_>>>()?.first().copied()
}
