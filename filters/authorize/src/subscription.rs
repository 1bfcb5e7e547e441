//! The claim `subscribedAPIs` of the reference product's tokens and keys.

use serde_json::Value;
use tollgate_filter_api::{KeyType, OperationInfo, Principal, Reason};

use crate::reasons::{BLOCKED, INACTIVE, SUBSCRIPTION};

const CLAIM: &str = "subscribedAPIs";

/// Whether a caller may use the API; `None` when it lists no subscriptions.
pub(crate) fn judge(principal: &Principal, operation: &OperationInfo) -> Option<Result<(), &'static Reason>> {
    let claim = principal.claims.get(CLAIM)?;
    Some(found(claim, operation).and_then(|subscription| state(subscription, principal.key_type)))
}

/// The subscription to this API. A claim of another form lists none.
fn found<'a>(claim: &'a Value, operation: &OperationInfo) -> Result<&'a Value, &'static Reason> {
    let matches = |subscription: &&Value| {
        let version = text(subscription, "version");
        text(subscription, "name") == Some(&operation.api) && (version == Some(&operation.version) || version == Some("*"))
    };
    claim.as_array().and_then(|list| list.iter().find(matches)).ok_or(&SUBSCRIPTION)
}

fn text<'a>(subscription: &'a Value, key: &str) -> Option<&'a str> {
    subscription.get(key).and_then(Value::as_str)
}

/// Without a state a subscription is active; with one that nobody knows it is not.
fn state(subscription: &Value, key_type: KeyType) -> Result<(), &'static Reason> {
    match subscription.get("state").map(Value::as_str) {
        None | Some(Some("UNBLOCKED" | "ACTIVE")) => Ok(()),
        Some(Some("PROD_ONLY_BLOCKED")) if key_type == KeyType::Sandbox => Ok(()),
        Some(Some("BLOCKED" | "PROD_ONLY_BLOCKED")) => Err(&BLOCKED),
        Some(_) => Err(&INACTIVE),
    }
}
