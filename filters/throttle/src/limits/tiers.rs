//! The tiers that a verified credential names, in claims of the reference product's form.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};
use tollgate_filter_api::{Answer, Cause, CauseKind, Credentials, OperationInfo, Principal, Problem, Rule, Shown};

use crate::{
    config::Config,
    limits::{
        part::Seen,
        policies::{List, Named, Policies},
    },
    reasons::UNKNOWN_TIER,
};

/// Means "no policy" and needs no entry.
pub(crate) const UNLIMITED: &str = "Unlimited";

/// A tier that credentials name.
#[derive(Debug)]
pub(crate) struct Tier {
    which: Which,
    /// Every policy that they may name.
    policies: BTreeMap<String, Arc<Named>>,
    /// For credentials that name none.
    otherwise: Option<Arc<Named>>,
    /// A name that nobody knows is not refused: nothing is, or somebody else knows it.
    lenient: bool,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Application,
    Subscription,
}

impl Tier {
    /// The tier of an application.
    pub(crate) fn application(policies: &mut Policies<'_>, lenient: bool) -> Result<Self, Problem> {
        let known = policies.all(List::Application, "/tiers/application")?;
        Ok(Self { which: Which::Application, policies: known, otherwise: None, lenient })
    }

    /// The tier of a subscription.
    pub(crate) fn subscription(config: &Config, policies: &mut Policies<'_>, lenient: bool) -> Result<Self, Problem> {
        let pointer = "/tiers/unsubscribed";
        let unsubscribed = config.tiers.unsubscribed.as_deref().filter(|name| *name != UNLIMITED);
        let named = |name| policies.get(List::Subscription, name).map_err(|unusable| unusable.problem(pointer, name));
        let otherwise = unsubscribed.map(named).transpose()?;
        Ok(Self { which: Which::Subscription, policies: policies.all(List::Subscription, "/tiers/subscription")?, otherwise, lenient })
    }

    /// The policy of the tier that the caller's credentials name, when there is one.
    ///
    /// # Errors
    /// The refusal, when they name one that nobody knows: it is as likely to be a strict one as a generous one.
    pub(crate) fn policy(&self, seen: Seen<'_>) -> Result<Option<&Arc<Named>>, Answer> {
        if seen.credentials.first.is_anonymous() {
            return Ok(None);
        }
        let name = match self.which {
            Which::Application => application(seen.credentials, "tier"),
            Which::Subscription => subscription(seen.credentials, &seen.call.operation).and_then(|entry| entry.get("subscriptionTier")),
        };
        match name {
            None | Some(Value::Null) => Ok(self.otherwise.as_ref()),
            Some(Value::String(name)) if name == UNLIMITED => Ok(None),
            Some(name) => match name.as_str().and_then(|name| self.policies.get(name)) {
                None if self.lenient => Ok(None),
                None => Err(self.unknown(name)),
                known => Ok(known),
            },
        }
    }

    fn unknown(&self, name: &Value) -> Answer {
        let (part, rule) = match self.which {
            Which::Application => ("claim `application.tier`", Rule::setting("/tiers/application")),
            Which::Subscription => ("claim `subscribedAPIs`", Rule::setting("/tiers/subscription")),
        };
        let cause = Cause::new(CauseKind::Unmatched, part, rule).detail("no policy has the name of the tier");
        UNKNOWN_TIER.because(cause.seen(Shown::sent(name.as_str().unwrap_or("no text"))))
    }
}

/// What the first credential that tells of an application says of it.
pub(crate) fn application<'a>(credentials: Credentials<'a>, what: &str) -> Option<&'a Value> {
    let told = |credential: &'a Principal| credential.claims.get("application")?.as_object();
    let mut all = credentials.iter().filter_map(told);
    all.find(|told| told.values().any(|value| !value.is_null()))?.get(what).filter(|value| !value.is_null())
}

/// The application that a credential tells of. An empty name is none: all who have it would be taken for one.
pub(crate) fn application_id(credential: &Principal) -> Option<&Value> {
    credential.claims.get("application")?.get("id").filter(|id| !id.is_null() && id.as_str() != Some(""))
}

/// What the first credential that tells of a subscription to the API says of it.
pub(crate) fn subscription<'a>(credentials: Credentials<'a>, operation: &OperationInfo) -> Option<&'a Map<String, Value>> {
    credentials.iter().find_map(|credential| credential.subscriptions()?.to(operation))
}
