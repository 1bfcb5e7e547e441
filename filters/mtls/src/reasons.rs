//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

const INVALID: u32 = 900_901;

pub(crate) const NOT_ASKED: Reason = Reason::absent(
    "mtls.not_asked",
    401,
    INVALID,
    "A client certificate is required",
    "The request came over a connection that cannot carry a client certificate: without TLS, or to a listener without `client_auth`. The client should use another address.",
);
pub(crate) const MISSING: Reason = Reason::absent(
    "mtls.missing",
    401,
    INVALID,
    "A client certificate is required",
    "The listener asks for a certificate and the client sent none.",
);
pub(crate) const UNTRUSTED: Reason = Reason::absent(
    "mtls.untrusted",
    401,
    INVALID,
    "The client certificate is not trusted",
    "The certificate does not chain to the listener's `client_auth.ca`, is outside its validity, is revoked, or its revocation cannot be judged because a CRL is missing or stale. It counts as none.",
);
pub(crate) const NOT_ALLOWED: Reason = Reason::refused(
    "mtls.not_allowed",
    401,
    INVALID,
    "The client certificate is not accepted here",
    "The certificate is trusted, but no rule of `allow`, or of the API's entry in `apis`, accepts it.",
);

/// In the order in which they are tried.
pub(crate) const ALL: &[Reason] = &[NOT_ASKED, MISSING, UNTRUSTED, NOT_ALLOWED];
