//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

macro_rules! reasons {
    ($($name:ident = $id:literal, $status:literal, $code:literal, $title:literal, $help:literal;)*) => {
        $(pub(crate) static $name: Reason = Reason::refused(concat!("throttle.", $id), $status, $code, $title, $help);)*
        pub(crate) const ALL: &[Reason] = &[$(Reason::refused(concat!("throttle.", $id), $status, $code, $title, $help)),*];
    };
}

reasons! {
    BLOCKED = "blocked", 403, 900_805, "Message blocked", "One of `blocks`, of those set at run time (`stores.blocks`), or of the traffic manager's covers the request. The log says which.";
    SHIELD = "shield", 429, 900_806, "Too many requests at the same time", "The client's address has about as many requests in progress as `shield` lets it have.";
    API = "api", 429, 900_800, "The API has had too many requests", "All callers together have used up the tier that the definition names at the API. `Retry-After` says when there is more.";
    OPERATION = "operation", 429, 900_802, "The operation has had too many requests", "All callers together have used up the tier that the definition names at the operation. `Retry-After` says when there is more.";
    SUBSCRIPTION = "subscription", 429, 900_804, "The application has sent too many requests to this API", "The application has used up the tier of its subscription to the API. `Retry-After` says when there is more.";
    APPLICATION = "application", 429, 900_803, "The application has sent too many requests", "The user of the application has used up the application's tier. `Retry-After` says when there is more.";
    UNKNOWN_TIER = "unknown_tier", 500, 900_809, "The gateway does not know the tier of this credential", "A verified claim names a tier of which neither `policies` nor its list in policies.yaml has a policy. The log says which claim; add the policy.";
    LIMIT = "limit", 429, 900_806, "Too many requests", "The caller has used up one of the `limits`, or a custom policy of the traffic manager. The log says which; `Retry-After` says when there is more.";
    ANONYMOUS = "anonymous", 429, 900_804, "Too many requests without a credential", "The client's address has used up the policy `anonymous`. `Retry-After` says when there is more.";
    AWAY = "away", 503, 900_900, "The gateway cannot tell at the moment how much is left", "The store that gateways share (`stores.redis`) is away or slow, and nothing of the quota is here: `shared: strict` lets nothing pass then, and `shared: share` only this gateway's part of what was left. `quota_store_connected` shows when it is back.";
    FULL = "full", 503, 900_900, "The gateway cannot count another caller at the moment", "`stores.counters.max_keys` counters are in use, and the request would need another one for an address or a header. Counters that are over make room within seconds.";
}
