//! What the token says (§4.14 of the reference product's description).

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tollgate_filter_api::{Credentials, KeyType, OperationInfo};

use crate::Config;

/// Claims that name or bound the caller's own token; in another token they would be lies.
const OWN: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf", "scope", "scp"];

/// Shortest life, in seconds: a token must last to the upstream.
const LEAST: u64 = 20;

/// When the first of the caller's credentials ends.
pub(crate) fn earliest_end(given: Credentials<'_>) -> Option<i64> {
    given.iter().filter_map(|credential| credential.token.as_ref()?.expires).min()
}

/// The claims and until when they are good; nothing when no clock can hold that time.
pub(crate) fn claims(
    config: &Config,
    given: Credentials<'_>,
    operation: &OperationInfo,
    id: String,
    now: SystemTime,
) -> Option<(Map<String, Value>, SystemTime)> {
    let principal = given.first;
    let begin = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let own_end = earliest_end(given).map(|end| u64::try_from(end).unwrap_or_default());
    // The caller's filter allows for clocks that are apart, so its token may have ended a moment ago.
    let end = own_end.map_or(u64::MAX, |end| end.max(begin + LEAST)).min(begin + config.lifetime.0.as_secs());
    let passed_on = |name: &str| !OWN.contains(&name) && !config.restricted_claims.iter().any(|restricted| restricted == name);
    let custom = principal.claims.iter().filter(|(name, _)| passed_on(name) && !name.starts_with(&config.dialect));
    let mut claims: Map<String, Value> = custom.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("iss", config.issuer.as_str().into());
    put("aud", config.audience.as_str().into());
    put("jti", id.into());
    put("iat", begin.into());
    put("exp", end.into());
    put("sub", principal.subject.as_deref().into());
    put("scopes", principal.scopes.join(" ").into());
    let mut said = |name: &str, value: Value| put(&format!("{}/{name}", config.dialect), value);
    said("enduser", principal.subject.as_deref().into());
    said("apiname", operation.api.as_str().into());
    said("apicontext", operation.base_path.as_str().into());
    said("version", operation.version.as_str().into());
    said("keytype", if principal.key_type == KeyType::Sandbox { "SANDBOX" } else { "PRODUCTION" }.into());
    said("usertype", "Application_User".into());
    let application = principal.claims.get("application").and_then(Value::as_object);
    let names = [
        ("id", "applicationid"),
        ("uuid", "applicationUUId"),
        ("name", "applicationname"),
        ("tier", "applicationtier"),
        ("owner", "subscriber"),
    ];
    for (theirs, ours) in names {
        if let Some(value) = application.and_then(|application| application.get(theirs)) {
            said(ours, value.clone());
        }
    }
    Some((claims, SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(end))?))
}
