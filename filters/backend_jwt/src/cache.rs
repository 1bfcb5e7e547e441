//! Tokens for callers that come again. Bounded: a full cache is emptied of what has ended, and then of everything.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use tollgate_filter_api::{HeaderValue, OperationInfo, Principal};

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

/// The tokens.
pub(crate) struct Cache {
    entries: usize,
    kept: Mutex<HashMap<CallerKey, (HeaderValue, SystemTime)>>,
}

impl Cache {
    pub(crate) fn new(entries: usize) -> Self {
        Self { entries, kept: Mutex::default() }
    }

    /// The token for that caller, when it is good for a while after that time.
    pub(crate) fn get(&self, key: &CallerKey, after: SystemTime) -> Option<HeaderValue> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(_, until)| after < *until).map(|(token, _)| token.clone())
    }

    pub(crate) fn put(&self, key: CallerKey, token: HeaderValue, until: SystemTime, now: SystemTime) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.entries {
            kept.retain(|_, (_, until)| now < *until);
        }
        if kept.len() >= self.entries {
            kept.clear();
        }
        if self.entries > 0 {
            kept.insert(key, (token, until));
        }
    }
}
