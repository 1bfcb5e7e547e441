//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

macro_rules! reasons {
    ($($name:ident = $meaning:ident($id:literal, $status:literal, $code:literal, $title:literal, $help:literal);)*) => {
        $(pub(crate) const $name: Reason = Reason::$meaning(concat!("introspection.", $id), $status, $code, $title, $help);)*
        pub(crate) const ALL: &[Reason] = &[$($name),*];
    };
}

reasons! {
    MISSING = absent("missing", 401, 900_902, "A bearer token is required", "The header is absent, empty, or has no token behind the scheme.");
    SCHEME = absent("scheme", 401, 900_917, "The authentication scheme is not accepted here", "The header carries another scheme than `Bearer`.");
    JWT = absent("jwt", 401, 900_901, "The token is not accepted", "The token looks like a JWT, which is another filter's; see `jwt`.");
    TWO = refused("two_credentials", 400, 0, "The request carries more than one credential", "The header occurs more than once.");
    MALFORMED = refused("malformed", 401, 900_901, "The token is malformed", "The token is longer than `max_length` or holds characters that no token has (RFC 6750 §2.1).");
    INACTIVE = refused("inactive", 401, 900_901, "The token is not active", "Its issuer says so: it is unknown, expired or revoked.");
    TIME = refused("time", 401, 900_901, "The token is not valid at this time", "`exp` of the answer has passed, or `nbf` has not.");
    TYPE = refused("type", 401, 900_901, "The token is of another type", "`token_type` of the answer is not among `token_types`: a refresh token is no access token.");
    ISSUER = refused("issuer", 401, 900_901, "The token is of another issuer", "`iss` of the answer is not `issuer`.");
    AUDIENCE = refused("audience", 401, 900_901, "The token is for another audience", "`aud` of the answer holds none of the `audiences`.");
    BINDING = refused("binding", 401, 900_901, "The token is bound to another key", "`cnf` of the answer names another certificate than the connection's, or a binding that cannot be checked here (RFC 8705 §3).");
}
