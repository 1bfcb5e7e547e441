//! Every way in which the filter ends a request.

use tollgate_binding::{Unfit, Why};
use tollgate_filter_api::{Answer, Fault, Reason};

macro_rules! reasons {
    ($($name:ident = $meaning:ident($id:literal, $status:literal, $code:literal, $title:literal, $help:literal);)*) => {
        $(pub(crate) const $name: Reason = Reason::$meaning(concat!("introspection.", $id), $status, $code, $title, $help);)*
        pub(crate) const ALL: &[Reason] = &[$($name),*];
    };
}

reasons! {
    MISSING = absent("missing", 401, 900_902, "A bearer token is required", "The header is absent, empty, or has no token behind the scheme.");
    SCHEME = absent("scheme", 401, 900_917, "The authentication scheme is not accepted here", "The header carries another scheme than `Bearer`, or `DPoP` without `dpop`.");
    JWT = absent("jwt", 401, 900_901, "The token is not accepted", "The token looks like a JWT, which is another filter's; see `jwt`.");
    TWO = refused("two_credentials", 400, 0, "The request carries more than one credential", "The header occurs more than once.");
    MALFORMED = refused("malformed", 401, 900_901, "The token is malformed", "The token is longer than `max_length` or holds characters that no token has (RFC 6750 §2.1).");
    INACTIVE = refused("inactive", 401, 900_901, "The token is not active", "Its issuer says so: it is unknown, expired or revoked.");
    TIME = refused("time", 401, 900_901, "The token is not valid at this time", "`exp` of the answer has passed, or `nbf` has not.");
    TYPE = refused("type", 401, 900_901, "The token is of another type", "`token_type` of the answer is not among `token_types`: a refresh token is no access token.");
    ISSUER = refused("issuer", 401, 900_901, "The token is of another issuer", "`iss` of the answer is not `issuer`.");
    AUDIENCE = refused("audience", 401, 900_901, "The token is for another audience", "`aud` of the answer holds none of the `audiences`.");
    BINDING = refused("binding", 401, 900_901, "The token is bound to another client", "`cnf` of the answer names another certificate than the connection's, a key that the request does not prove, or a binding that is not understood here; or scheme and `token_type` do not fit (RFC 8705 §3, RFC 9449 §6 and §7). The log says which.");
    NOT_BOUND = refused("not_bound", 401, 900_901, "The token is not bound to a client", "`sender_constrained` is `required`, and the answer has no `cnf`: whoever holds the token could use it.");
    DPOP_PROOF = refused("dpop_proof", 401, 900_901, "The DPoP proof is not accepted", "The header `DPoP` is missing, occurs twice, or is not a proof for this method, URL, time and token (RFC 9449 §4.3). The log says what was wrong. Behind a proxy that ends TLS, set `dpop.origins`.");
    DPOP_NONCE = refused("dpop_nonce", 401, 900_901, "The DPoP proof needs the gateway's nonce", "`dpop.nonce` is set, and the proof has no nonce, or one that is over. The answer carries the one to use in `DPoP-Nonce`; each client meets this once at its start.");
    DPOP_REPLAY = refused("dpop_replay", 401, 900_901, "The DPoP proof was used before", "A proof with the same key and `jti` was accepted already. The client must make a new proof for each request.");
}

/// Why there is no principal.
pub(crate) enum Failure {
    /// The token is not good; if that is why, what is wrong with what it is bound to.
    Refused(Answer, Option<Why>),
    /// It cannot be told whether it is.
    Undecided(Fault),
}

impl Failure {
    /// The token that is refused is good by itself, and this client's.
    pub(crate) fn of(self, client: Option<&str>) -> Self {
        match (self, client) {
            (Self::Refused(answer, why), Some(client)) => Self::Refused(answer.client(client), why),
            (other, _) => other,
        }
    }
}

impl From<Answer> for Failure {
    fn from(answer: Answer) -> Self {
        Self::Refused(answer, None)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        let reason = match unfit.why {
            Why::Malformed | Why::Binding => &BINDING,
            Why::NotBound => &NOT_BOUND,
            Why::Proof => &DPOP_PROOF,
            Why::Nonce => &DPOP_NONCE,
            Why::Replay => &DPOP_REPLAY,
        };
        Self::Refused(reason.because(unfit.cause), Some(unfit.why))
    }
}

impl From<tollgate_binding::Failure> for Failure {
    fn from(failure: tollgate_binding::Failure) -> Self {
        match failure {
            tollgate_binding::Failure::Refused(unfit) => unfit.into(),
            tollgate_binding::Failure::Undecided(fault) => Self::Undecided(fault),
        }
    }
}
