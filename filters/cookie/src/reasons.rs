//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

pub(crate) const INVALID: Reason = Reason::refused(
    "cookie.invalid",
    401,
    900_913,
    "The session is not valid",
    "The cookie is not one that this gateway sealed under one of `keys`, it is over, or it came twice; the log says which. The answer \
     clears it; the page has to log in again.",
);

pub(crate) const CSRF: Reason = Reason::refused(
    "cookie.csrf",
    403,
    0,
    "The request does not prove that a page of this application sent it",
    "A request with a session comes from a page of another origin, or changes something and does not carry the session's CSRF token. \
     Have the page copy the token from its cookie to the header; list the origins of foreign pages in `origins`.",
);

pub(crate) const TOO_LARGE: Reason = Reason::refused(
    "cookie.too_large",
    431,
    0,
    "The token is too long for a session",
    "Sealed, the token would make a cookie of more than 4096 bytes, which browsers drop in silence. Have the issuer put less into it, or \
     use opaque tokens with `introspection`.",
);
