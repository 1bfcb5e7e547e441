//! Other kinds of JWT that an issuer signs with the same keys, told by their claims.
//!
//! An ID token, a refresh token or a logout token often has the `typ` of an access token, or none, and may have the right audience. This
//! refuses what only such a token says. Does not protect against a kind that says nothing of itself: for that, demand `typ: [at+jwt]`.

use serde_json::{Map, Value};

use tollgate_filter_api::{Cause, CauseKind, Rule};

use crate::reasons::{Refusal, Refuse, TYPE};

/// Claims by which issuers say what a token is for when their `typ` does not.
const USES: [&str; 3] = ["token_use", "typ", "type"];
/// What those say of tokens that are for the client or its issuer, and for no API.
const OTHER_USES: [&str; 9] =
    ["id", "id_token", "refresh", "refresh_token", "offline", "logout", "serialized-id", "initialaccesstoken", "registrationaccesstoken"];
/// Claims that only an ID token has (OpenID Connect Core 1.0 §3.1.3.6 and §3.3.2.11, FAPI 1.0 Part 2 §5.1).
const OF_ID_TOKENS: [&str; 3] = ["at_hash", "c_hash", "s_hash"];
/// Claims that are objects in one kind of token, and what that kind is: RFC 8417 §2.2, of which a logout token is one (OpenID Connect
/// Back-Channel Logout 1.0 §2.4), and RFC 9701 §5.
const OBJECTS: [(&str, &str); 2] = [("events", "security event tokens"), ("token_introspection", "introspection answers")];
/// Parameters of an authorization response, which an issuer signs for a client (JARM §2.1): the first, and one of the others.
const RESPONSE: (&str, [&str; 4]) = ("state", ["code", "error", "access_token", "id_token"]);

/// `typ` of kinds that are never access tokens, in normal form.
const OTHER_TYPES: [&str; 6] =
    ["logout+jwt", "secevent+jwt", "dpop+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "client-authentication+jwt"];

/// Whether a `typ` in normal form is that of another kind.
pub(crate) fn is_other_type(typ: &str) -> bool {
    OTHER_TYPES.contains(&typ)
}

/// Refuses what its claims call something else than an access token. `declared`: its `typ` is one that only access tokens have.
pub(crate) fn check(claims: &Map<String, Value>, declared: bool) -> Result<(), Refusal> {
    if let Some((name, kind)) = OBJECTS.into_iter().find(|(name, _)| claims.get(*name).is_some_and(Value::is_object)) {
        return Err(other(format!("`{name}` is a claim of {kind}")));
    }
    if declared {
        return Ok(());
    }
    if let Some(name) = OF_ID_TOKENS.into_iter().find(|name| claims.contains_key(*name)) {
        return Err(other(format!("`{name}` is a claim of ID tokens")));
    }
    let (state, others) = RESPONSE;
    if !claims.contains_key("sub") && claims.contains_key(state) && others.iter().any(|name| claims.contains_key(*name)) {
        return Err(other("the claims are those of an authorization response".to_owned()));
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
    match USES.into_iter().find(|name| text(name).is_some_and(|found| OTHER_USES.contains(&found.as_str()))) {
        Some(name) => Err(other(format!("the claim `{name}` says that it is no access token"))),
        None => Ok(()),
    }
}

fn other(detail: String) -> Refusal {
    TYPE.refuse(Cause::new(CauseKind::NotAllowed, "type of the token", Rule::Fixed("RFC 8725 §3.11")).detail(detail))
}
