//! Every way in which the filter ends a request.

use std::sync::Arc;

use tollgate_binding::{Unfit, Why};
use tollgate_filter_api::{Cause, CauseKind, Fault, Reason, Rule};
use tollgate_jose::Malformed;

const INVALID: u32 = 900_901;

pub(crate) const MISSING: Reason = Reason::absent(
    "jwt.missing",
    401,
    900_902,
    "A bearer token is required",
    "The request has no value in the header that carries the token, or the value has no token behind the scheme.",
);
pub(crate) const SCHEME: Reason = Reason::absent(
    "jwt.scheme",
    401,
    900_917,
    "The authentication scheme is not accepted here",
    "The header carries credentials of another scheme, Basic for instance. Another alternative may accept them.",
);
pub(crate) const OPAQUE: Reason = Reason::absent(
    "jwt.opaque",
    401,
    INVALID,
    "The token is not accepted",
    "The token holds no dot, so it is no JWT but an opaque one. Another alternative, introspection for instance, may know it.",
);
pub(crate) const UNKNOWN_ISSUER: Reason = Reason::absent(
    "jwt.unknown_issuer",
    401,
    INVALID,
    "The token is not accepted",
    "The token's `iss` is none of the configured issuers, or missing. Another alternative may have that issuer. The value must be equal byte for \
     byte: compare a trailing slash first.",
);
pub(crate) const TWO_CREDENTIALS: Reason = Reason::refused(
    "jwt.two_credentials",
    400,
    0,
    "The request carries more than one credential",
    "The header occurs more than once, or a token is in the query as well (RFC 6750 §2). The client must send one.",
);
pub(crate) const TOO_LONG: Reason = Reason::refused(
    "jwt.too_long",
    401,
    INVALID,
    "The token is too long",
    "The token is longer than `max_token_bytes`; it was not looked at.",
);
pub(crate) const MALFORMED: Reason = Reason::refused(
    "jwt.malformed",
    401,
    INVALID,
    "The token is malformed",
    "The token is not three strict base64url parts, a part is not one JSON object with each name once, or a claim has the wrong type. For tokens \
     with `=` see `padded`.",
);
pub(crate) const ALGORITHM: Reason = Reason::refused(
    "jwt.algorithm",
    401,
    INVALID,
    "The token's algorithm is not accepted",
    "`alg` is unknown, `none`, symmetric, or not among the issuer's `algorithms`.",
);
pub(crate) const CRITICAL: Reason = Reason::refused(
    "jwt.critical",
    401,
    INVALID,
    "The token demands an extension",
    "The header has `crit`, or `b64` other than true. No extension is understood, so none may be demanded (RFC 7515 §4.1.11).",
);
pub(crate) const TYPE: Reason = Reason::refused(
    "jwt.type",
    401,
    INVALID,
    "The token is of another type",
    "`typ` is not among the issuer's `typ` list, or a claim tells a logout token or another security event, or, where `typ` is not `at+jwt`, an ID \
     token or a refresh token: none of them is an access token (RFC 8725 §3.11 and §3.12). The log names the claim.",
);
pub(crate) const UNKNOWN_KEY: Reason = Reason::refused(
    "jwt.unknown_key",
    401,
    INVALID,
    "The token is signed with an unknown key",
    "No usable key of the issuer has the token's `kid` and fits its algorithm, also after the key set was fetched again. Weak keys, keys for \
     another use and certificates outside their validity period count as absent.",
);
pub(crate) const SIGNATURE: Reason = Reason::refused(
    "jwt.signature",
    401,
    INVALID,
    "The token's signature is wrong",
    "No key of the issuer that fits made this signature: the token was changed, forged, or is of another environment.",
);
pub(crate) const EXPIRED: Reason = Reason::refused(
    "jwt.expired",
    401,
    INVALID,
    "The token has expired",
    "`exp` has passed, also with `clock_skew` allowed for. The client should get a new token.",
);
pub(crate) const NOT_YET: Reason = Reason::refused(
    "jwt.not_yet",
    401,
    INVALID,
    "The token is not valid yet",
    "`nbf` or `iat` lies further ahead than `clock_skew`. Usually a clock is wrong.",
);
pub(crate) const TOO_OLD: Reason = Reason::refused(
    "jwt.too_old",
    401,
    INVALID,
    "The token is too old",
    "The token was issued longer ago than `max_token_age`, or does not say when.",
);
pub(crate) const LIFETIME: Reason = Reason::refused(
    "jwt.lifetime",
    401,
    INVALID,
    "The token lives too long",
    "`exp` lies further behind `iat` than `max_lifetime`, or the token has no `iat`. The issuer hands out tokens that live longer than agreed.",
);
pub(crate) const AUDIENCE: Reason = Reason::refused(
    "jwt.audience",
    401,
    INVALID,
    "The token is for another audience",
    "`aud` is missing or holds none of the issuer's `audiences`.",
);
pub(crate) const BINDING: Reason = Reason::refused(
    "jwt.binding",
    401,
    INVALID,
    "The token is bound to another client",
    "`cnf` names a certificate that is not the connection's (RFC 8705 §3), a key that the request does not prove (RFC 9449), or something that is \
     not understood here. The log says which.",
);
pub(crate) const NOT_BOUND: Reason = Reason::refused(
    "jwt.not_bound",
    401,
    INVALID,
    "The token is not bound to a client",
    "`sender_constrained` is `required`, and the token has no `cnf`: whoever holds it could use it. Have the issuer bind its tokens.",
);
pub(crate) const DPOP_PROOF: Reason = Reason::refused(
    "jwt.dpop_proof",
    401,
    INVALID,
    "The DPoP proof is not accepted",
    "The header `DPoP` is missing, occurs twice, or is not a proof for this method, URL, time and token, signed with a public key that is large \
     enough (RFC 9449 §4.3). The log says what was wrong. Behind a proxy that ends TLS, set `dpop.origins`.",
);
pub(crate) const DPOP_REPLAY: Reason = Reason::refused(
    "jwt.dpop_replay",
    401,
    INVALID,
    "The DPoP proof was used before",
    "A proof with the same key and `jti` was accepted already. The client must make a new proof for each request; if it does, somebody repeats them.",
);
pub(crate) const DPOP_NONCE: Reason = Reason::refused(
    "jwt.dpop_nonce",
    401,
    INVALID,
    "The DPoP proof needs the gateway's nonce",
    "`dpop.nonce` is set, and the proof has no nonce, or one that is over. The answer carries the one to use in `DPoP-Nonce`; each client meets \
     this once at its start. Often at one client: several nodes without a common `dpop.nonce.secret`.",
);

/// In the order in which they are tried.
pub(crate) const ALL: &[Reason] = &[
    MISSING,
    SCHEME,
    OPAQUE,
    UNKNOWN_ISSUER,
    TWO_CREDENTIALS,
    TOO_LONG,
    MALFORMED,
    ALGORITHM,
    CRITICAL,
    TYPE,
    UNKNOWN_KEY,
    SIGNATURE,
    EXPIRED,
    NOT_YET,
    TOO_OLD,
    LIFETIME,
    AUDIENCE,
    BINDING,
    NOT_BOUND,
    DPOP_PROOF,
    DPOP_NONCE,
    DPOP_REPLAY,
];

/// The issuer's keys never loaded, or are older than `max_age`.
pub(crate) const KEYS_UNAVAILABLE: &str = "jwt.keys_unavailable";

/// A refusal on its way to an answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub reason: &'static Reason,
    /// What is wrong with what the token is bound to, if that is it.
    pub why: Option<Why>,
    /// For the operator.
    pub cause: Arc<Cause>,
    /// The client application that a verified token names, for the same.
    pub client: Option<String>,
    /// The one that a token names whose issuer's word that is not known to be.
    pub claimed_client: Option<String>,
}

impl Refusal {
    /// The token that is refused is its issuer's, and names this client.
    pub(crate) fn of(self, client: Option<&str>) -> Self {
        Self { client: client.map(str::to_owned), ..self }
    }

    /// The token that is refused may be forged, and names this client.
    pub(crate) fn claimed_by(self, client: Option<String>) -> Self {
        Self { claimed_client: client, ..self }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::Opaque => {
                OPAQUE.refuse(Cause::new(CauseKind::Malformed, "token", Rule::Fixed("RFC 7515 §3.1")).detail("it is no JWT"))
            }
            Malformed::Algorithm => ALGORITHM.refuse(
                Cause::new(CauseKind::NotAllowed, "`alg` of the token", Rule::Fixed("RFC 8725 §3.1")).wanted("one with a public key"),
            ),
            Malformed::Critical(why) => {
                CRITICAL.refuse(Cause::new(CauseKind::NotAllowed, "extension of the token", Rule::Fixed("RFC 7515 §4.1.11")).detail(why))
            }
            Malformed::Form(why) => MALFORMED.refuse(Cause::new(CauseKind::Malformed, "token", Rule::Fixed("RFC 7519 §7.2")).detail(why)),
        }
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        let reason = match unfit.why {
            Why::Malformed => &MALFORMED,
            Why::Binding => &BINDING,
            Why::NotBound => &NOT_BOUND,
            Why::Proof => &DPOP_PROOF,
            Why::Nonce => &DPOP_NONCE,
            Why::Replay => &DPOP_REPLAY,
        };
        Self { reason, why: Some(unfit.why), cause: unfit.cause, client: None, claimed_client: None }
    }
}

/// Makes refusals out of reasons.
pub(crate) trait Refuse {
    /// A refusal.
    fn refuse(&'static self, cause: Cause) -> Refusal;
}

impl Refuse for Reason {
    fn refuse(&'static self, cause: Cause) -> Refusal {
        Refusal { reason: self, why: None, cause: cause.into(), client: None, claimed_client: None }
    }
}

/// A part of the token that has not its form.
pub(crate) fn malformed(about: &'static str, detail: &'static str) -> Refusal {
    MALFORMED.refuse(Cause::new(CauseKind::Malformed, about, Rule::Fixed("RFC 7519 §4.1")).detail(detail))
}

/// Why there is no principal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The token is not good.
    Refused(Refusal),
    /// It cannot be told whether it is.
    Undecided(Fault),
}

impl Failure {
    /// As [`Refusal::of`].
    pub(crate) fn of(self, client: Option<&str>) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.of(client)),
            undecided => undecided,
        }
    }

    /// As [`Refusal::claimed_by`].
    pub(crate) fn claimed_by(self, client: Option<String>) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.claimed_by(client)),
            undecided => undecided,
        }
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Refused(malformed.into())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<tollgate_binding::Failure> for Failure {
    fn from(failure: tollgate_binding::Failure) -> Self {
        match failure {
            tollgate_binding::Failure::Refused(unfit) => Self::Refused(unfit.into()),
            tollgate_binding::Failure::Undecided(fault) => Self::Undecided(fault),
        }
    }
}
