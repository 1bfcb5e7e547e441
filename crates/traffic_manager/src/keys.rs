//! The keys by which the traffic manager counts requests, as the reference product 3.2 makes them.

use std::{borrow::Cow, fmt::Write, net::IpAddr};

/// The tier that is no limit.
pub const UNLIMITED: &str = "Unlimited";
/// The subscription tier of callers without a credential.
pub const UNAUTHENTICATED: &str = "Unauthenticated";
/// The user that a caller without a credential is.
pub const ANONYMOUS: &str = "anonymous";
/// The tenant of who names none.
const NO_TENANT: &str = "carbon.super";

/// An API and an operation of it. Made at load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub(crate) api_name: Box<str>,
    pub(crate) context: Box<str>,
    pub(crate) version: Box<str>,
    pub(crate) tenant: Box<str>,
    pub(crate) api_key: Box<str>,
    pub(crate) resource_key: Box<str>,
    pub(crate) api_tier: Box<str>,
    pub(crate) resource_tier: Box<str>,
}

impl Place {
    /// The operation of a method and path template of an API with that base path.
    pub fn new(api_name: &str, base_path: &str, version: &str, template: &str, method: &str) -> Self {
        let context = match base_path.trim_end_matches('/') {
            "" => "/",
            context => context,
        };
        Self {
            api_name: api_name.into(),
            context: context.into(),
            version: version.into(),
            tenant: tenant(context).into(),
            api_key: format!("{context}:{version}").into(),
            resource_key: format!("{context}/{version}{template}:{method}").into(),
            api_tier: UNLIMITED.into(),
            resource_tier: UNLIMITED.into(),
        }
    }

    /// The same with the tier of the API. It is the operations' too, and they are counted together.
    #[must_use]
    pub fn api_tier(self, tier: &str) -> Self {
        Self { api_tier: tier.into(), resource_tier: tier.into(), ..self }
    }

    /// The same with the tier of the operation.
    #[must_use]
    pub fn resource_tier(self, tier: &str) -> Self {
        Self { resource_tier: tier.into(), ..self }
    }

    /// What the operation is counted by: itself, or its API where that has a tier.
    pub(crate) fn counted_by(&self) -> &str {
        if *self.api_tier == *UNLIMITED { &self.resource_key } else { &self.api_key }
    }
}

/// The tenant that a base path names: `/t/<tenant>/…`.
fn tenant(context: &str) -> &str {
    context.strip_prefix("/t/").and_then(|rest| rest.split('/').next()).filter(|name| !name.is_empty()).unwrap_or(NO_TENANT)
}

/// Who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller<'a> {
    /// The subject of the credential.
    pub user: Cow<'a, str>,
    /// The application's number.
    pub application: Cow<'a, str>,
    /// Its name.
    pub application_name: Cow<'a, str>,
    /// Who owns it.
    pub owner: Cow<'a, str>,
    /// The owner's tenant.
    pub application_tenant: Cow<'a, str>,
    /// Its tier.
    pub application_tier: Cow<'a, str>,
    /// The tier of its subscription to the API.
    pub subscription_tier: Cow<'a, str>,
    /// The client's address.
    pub client: IpAddr,
}

impl Caller<'_> {
    /// A caller without a credential: its address stands for the application.
    pub fn anonymous(client: IpAddr) -> Self {
        Self {
            user: ANONYMOUS.into(),
            application: client.to_canonical().to_string().into(),
            application_name: "".into(),
            owner: "".into(),
            application_tenant: "".into(),
            application_tier: UNLIMITED.into(),
            subscription_tier: UNAUTHENTICATED.into(),
            client,
        }
    }

    /// Writes the key by which a subscription is counted; for a caller without a credential, its address at the API.
    pub(crate) fn subscription_key(&self, place: &Place, to: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(to, "{}:{}:{}", self.application, place.context, place.version);
    }

    /// Writes the key by which an application's user is counted.
    pub(crate) fn application_key(&self, to: &mut String) {
        let _ = write!(to, "{}:{}", self.application, self.user);
    }
}

#[cfg(test)]
#[path = "tests/keys.rs"]
mod tests;
