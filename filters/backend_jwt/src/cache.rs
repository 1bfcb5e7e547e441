//! Tokens for callers that come again.

use std::time::SystemTime;

use tollgate_filter_api::{HeaderValue, OperationInfo, Principal};
use tollgate_recent::Recent;

/// Tokens, and until when they are good.
pub(crate) type Cache = Recent<CallerKey, (HeaderValue, SystemTime)>;

/// Everything that a token says differs with these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallerKey {
    caller: [Option<String>; 4],
    filter: &'static str,
    claims: String,
    api: [String; 3],
}

impl CallerKey {
    pub(crate) fn of(principal: &Principal, operation: &OperationInfo) -> Self {
        let signature = principal.token.as_ref().and_then(|token| token.signature.clone());
        // A signed token is known by its signature; what else a filter found out may change under one name.
        let claims = if signature.is_some() { String::new() } else { format!("{:?} {:?}", principal.claims, principal.scopes) };
        Self {
            caller: [principal.issuer.clone(), principal.subject.clone(), principal.client.clone(), signature],
            filter: principal.filter,
            claims,
            api: [operation.api.clone(), operation.version.clone(), operation.base_path.clone()],
        }
    }
}
