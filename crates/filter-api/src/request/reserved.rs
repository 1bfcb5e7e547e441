//! Fields that nobody but the gateway may write, whoever asks for it: settings, modules, other services.

/// Say where a message ends, or belong to one connection (RFC 9110 §7.6.1, RFC 9113 §8.2.2), or route it.
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

/// Why a field, by its name in lower case, must not be written; `None` when it may. Upstreams may take an underscore for a dash.
pub fn reserved(name: &str) -> Option<&'static str> {
    if name.contains('_') {
        return reserved(&name.replace('_', "-"));
    }
    if FRAMING.contains(&name) {
        return Some("it belongs to the connection or says where the message ends");
    }
    GATEWAY.contains(&name).then_some("the gateway writes it itself")
}

#[cfg(test)]
mod tests {
    use super::reserved;

    #[test]
    fn what_frames_a_message_or_is_the_gateways_is_reserved_in_every_spelling() {
        for name in ["connection", "content_length", "host", "x-forwarded-for", "x_forwarded_for", "proxy_connection"] {
            assert!(reserved(name).is_some(), "{name}");
        }
        assert_eq!(reserved("x-user_name"), None);
    }
}
