//! Tokens for callers that come again.

use std::time::{Duration, Instant, SystemTime};

use tollgate_filter_api::{Credentials, HeaderValue, KeyType, Moment, OperationInfo};
use tollgate_recent::Recent;

use crate::claims::earliest_end;

/// Tokens, and when they are good.
pub(crate) type Cache = Recent<CallerKey, Made>;

/// A token that was made.
pub(crate) struct Made {
    pub token: HeaderValue,
    /// `iat`: where the clock is stepped back behind it, upstreams would take the token for one of the future.
    from: SystemTime,
    /// `exp`, as it was seen on both clocks.
    until: (SystemTime, Instant),
}

impl Made {
    pub(crate) fn new(token: HeaderValue, now: Moment, until: SystemTime) -> Self {
        Self { token, from: now.wall, until: (until, now.when(until)) }
    }

    /// Whether it can be used now and for so long.
    pub(crate) fn is_good(&self, now: Moment, margin: Duration) -> bool {
        let (wall, instant) = self.until;
        self.from <= now.wall && now.wall + margin < wall && now.instant + margin < instant
    }
}

/// Everything that a token says differs with these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallerKey {
    caller: [Option<String>; 4],
    filter: &'static str,
    key_type: KeyType,
    expires: Option<i64>,
    claims: String,
    api: [String; 3],
}

impl CallerKey {
    pub(crate) fn of(given: Credentials<'_>, operation: &OperationInfo) -> Self {
        let principal = given.first;
        let token = principal.token.as_ref();
        let signature = token.and_then(|token| token.signature.clone());
        // All that a JWT says is signed; what else a filter found out may change under one name, as what an issuer says of an opaque token.
        let signed = principal.filter == "jwt" && signature.is_some();
        let claims = if signed { String::new() } else { format!("{:?} {:?}", principal.claims, principal.scopes) };
        Self {
            caller: [principal.issuer.clone(), principal.subject.clone(), principal.client.clone(), signature],
            filter: principal.filter,
            key_type: principal.key_type,
            expires: earliest_end(given),
            claims,
            api: [operation.api.clone(), operation.version.clone(), operation.base_path.clone()],
        }
    }
}
