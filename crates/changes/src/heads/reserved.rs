//! Headers that are not for filters to touch.

use tollgate_filter_api::HeaderName;

/// They say where a message ends, or belong to one connection (RFC 9110 §7.6.1, RFC 9113 §8.2.2), or route it.
const FRAMING: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The gateway writes them itself, from what it knows of the connection.
const GATEWAY: [&str; 7] =
    ["forwarded", "via", "x-request-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"];

/// Why a header must not be touched; `None` when it may.
pub fn why(name: &HeaderName) -> Option<&'static str> {
    // An upstream may take an underscore for a dash.
    let name = name.as_str().replace('_', "-");
    if FRAMING.contains(&name.as_str()) {
        return Some("it belongs to the connection or says where the message ends");
    }
    GATEWAY.contains(&name.as_str()).then_some("the gateway writes it itself")
}
