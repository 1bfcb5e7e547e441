//! The claim `subscribedAPIs` of the reference product's tokens and keys.

use serde_json::Value;
use tollgate_filter_api::{Answer, Cause, CauseKind, KeyType, OperationInfo, Principal, Rule, Shown};

use crate::reasons::{BLOCKED, INACTIVE, SUBSCRIPTION};

const CLAIM: &str = "subscribedAPIs";
const RULE: Rule = Rule::setting("/subscriptions");

/// Whether a caller may use the API; `None` when it lists no subscriptions.
pub(crate) fn judge(principal: &Principal, operation: &OperationInfo) -> Option<Result<(), Answer>> {
    let claim = principal.claims.get(CLAIM)?;
    Some(found(claim, operation).and_then(|subscription| state(subscription, principal.key_type)))
}

/// The subscription to this API. A claim of another form lists none.
fn found<'a>(claim: &'a Value, operation: &OperationInfo) -> Result<&'a Value, Answer> {
    let matches = |subscription: &&Value| {
        let version = text(subscription, "version");
        text(subscription, "name") == Some(&operation.api) && (version == Some(&operation.version) || version == Some("*"))
    };
    claim.as_array().and_then(|list| list.iter().find(matches)).ok_or_else(|| {
        let cause = Cause::new(CauseKind::Insufficient, "claim `subscribedAPIs`", RULE);
        SUBSCRIPTION.because(cause.detail("it does not list the API").wanted(operation.api.clone()))
    })
}

fn text<'a>(subscription: &'a Value, key: &str) -> Option<&'a str> {
    subscription.get(key).and_then(Value::as_str)
}

/// Without a state a subscription is active; with one that nobody knows it is not.
fn state(subscription: &Value, key_type: KeyType) -> Result<(), Answer> {
    match subscription.get("state").map(Value::as_str) {
        None | Some(Some("UNBLOCKED" | "ACTIVE")) => Ok(()),
        Some(Some("PROD_ONLY_BLOCKED")) if key_type == KeyType::Sandbox => Ok(()),
        Some(Some(state @ ("BLOCKED" | "PROD_ONLY_BLOCKED"))) => Err(BLOCKED.because(refused(state))),
        Some(state) => Err(INACTIVE.because(refused(state.unwrap_or_default()))),
    }
}

fn refused(state: &str) -> Cause {
    Cause::new(CauseKind::NotAllowed, "state of the subscription", RULE).seen(Shown::sent(state))
}
