//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

pub(crate) const SCOPE: Reason = Reason::insufficient(
    "authorize.scope",
    403,
    900_910,
    "The credential does not allow access to this operation",
    "The caller is known but lacks scopes. `WWW-Authenticate` names those of the first alternative, the log says which line asked for them.",
);
pub(crate) const SUBSCRIPTION: Reason = Reason::refused(
    "authorize.subscription",
    403,
    900_908,
    "The caller has not subscribed to this API",
    "The claim `subscribedAPIs` does not list this API in this version, is of another form, or is missing although subscriptions are required.",
);
pub(crate) const INACTIVE: Reason = Reason::refused(
    "authorize.inactive",
    401,
    900_909,
    "The subscription to this API is not active",
    "The subscription is on hold or in a state that is not known.",
);
pub(crate) const BLOCKED: Reason = Reason::refused(
    "authorize.blocked",
    401,
    900_907,
    "The subscription to this API is blocked",
    "The subscription is blocked, or blocked for production and the key is one for production.",
);
pub(crate) const KEY_TYPE: Reason = Reason::refused(
    "authorize.key_type",
    403,
    900_905,
    "This kind of key is not accepted here",
    "A production or sandbox key where `key_types` does not list its kind.",
);
