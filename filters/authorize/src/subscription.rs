//! The claim `subscribedAPIs` of the reference product's tokens and keys.

use serde_json::{Map, Value};
use tollgate_filter_api::{Answer, Cause, CauseKind, KeyType, OperationInfo, Principal, Rule, Shown};

use crate::reasons::{BLOCKED, INACTIVE, SUBSCRIPTION};

const RULE: Rule = Rule::setting("/subscriptions");

/// Whether a caller may use the API; `None` when it lists no subscriptions.
pub(crate) fn judge(principal: &Principal, operation: &OperationInfo) -> Option<Result<(), Answer>> {
    let subscription = principal.subscriptions()?.to(operation).ok_or_else(|| {
        let cause = Cause::new(CauseKind::Insufficient, "claim `subscribedAPIs`", RULE);
        SUBSCRIPTION.because(cause.detail("it does not list the API").wanted(operation.api.clone()))
    });
    Some(subscription.and_then(|subscription| state(subscription, principal.key_type)))
}

/// Without a state a subscription is active; with one that nobody knows it is not.
fn state(subscription: &Map<String, Value>, key_type: KeyType) -> Result<(), Answer> {
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
