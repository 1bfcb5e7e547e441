//! Callers in the traffic manager's words, and what of a request its conditions ask for.

use std::borrow::Cow;

use serde_json::Value;
use tollgate_filter_api::HeaderName;
use tollgate_traffic_manager::{Caller, Facts, UNLIMITED};

use crate::limits::{
    params,
    part::{self, Seen},
    tiers,
};

/// Who sends a request, by its credentials.
pub(super) fn of<'a>(seen: Seen<'a>, unsubscribed: &'a str) -> Caller<'a> {
    let (principal, client) = (seen.credentials.first, seen.call.client);
    if principal.is_anonymous() {
        return Caller::anonymous(client);
    }
    let told = |what| tiers::application(seen.credentials, what).map(text).filter(|text| !text.is_empty());
    let subscription = tiers::subscription(seen.credentials, &seen.call.operation);
    let of_subscription = |what| subscription.and_then(|entry| entry.get(what)).map(text).filter(|text| !text.is_empty());
    let names = [&principal.subject, &principal.client];
    let [subject, client_name] = names.map(|name| Cow::Borrowed(name.as_deref().unwrap_or_default()));
    let owner = told("owner").unwrap_or_default();
    let tenant = of_subscription("subscriberTenantDomain").unwrap_or_else(|| match owner.rsplit_once('@') {
        Some((_, tenant)) => Cow::Owned(tenant.to_owned()),
        None => Cow::Borrowed(NO_TENANT),
    });
    Caller {
        application: told("id").unwrap_or_else(|| client_name.clone()),
        user: if subject.is_empty() { client_name } else { subject },
        application_name: told("name").unwrap_or_default(),
        owner,
        application_tenant: tenant,
        application_tier: told("tier").unwrap_or(Cow::Borrowed(UNLIMITED)),
        subscription_tier: of_subscription("subscriptionTier").unwrap_or(Cow::Borrowed(unsubscribed)),
        client,
    }
}

/// The tenant of who names none.
const NO_TENANT: &str = "carbon.super";

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

impl Facts for Seen<'_> {
    fn header(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { return false };
        self.req.get_all(&name).any(|value| is(value.as_bytes()))
    }

    fn query(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        params::query(self.req.query(), name).any(|value| is(&value))
    }

    fn claim(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        match self.credentials.first.claims.get(name) {
            None => false,
            Some(Value::Array(values)) => values.iter().any(|value| is(&part::text(value))),
            Some(value) => is(&part::text(value)),
        }
    }
}
