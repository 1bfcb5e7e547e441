//! Which fields a guest may write.

use http::HeaderName;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// The gateway sees to it by itself, and a guest that does so too means the same.
    NotNeeded,
    /// The rule that it breaks.
    Refused(&'static str),
}

const FRAMING: &str = "it belongs to the connection or says where the message ends";
const GATEWAY: &str = "the gateway writes it itself";

/// Whether a guest may write a field. `removes`: it takes it out.
pub fn judge(name: &HeaderName, removes: bool) -> Verdict {
    let name = name.as_str();
    // An upstream may take an underscore for a dash.
    let rule = if name.contains('_') { rule(&name.replace('_', "-")) } else { rule(name) };
    match rule {
        Verdict::Refused(_) if removes => Verdict::NotNeeded,
        other => other,
    }
}

fn rule(name: &str) -> Verdict {
    match name {
        // Bodies that a guest changes get their own length; filters for other hosts take the field out by themselves.
        "content-length" | "transfer-encoding" => Verdict::NotNeeded,
        "connection"
        | "expect"
        | "host"
        | "http2-settings"
        | "keep-alive"
        | "proxy-authenticate"
        | "proxy-authorization"
        | "proxy-connection"
        | "te"
        | "trailer"
        | "upgrade" => Verdict::Refused(FRAMING),
        "forwarded" | "via" | "x-request-id" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-port" | "x-forwarded-proto" => {
            Verdict::Refused(GATEWAY)
        }
        _ => Verdict::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_a_message_or_is_the_gateways_is_refused_in_every_spelling() {
        let judge = |name: &str, removes| judge(&name.parse().expect("it is legal"), removes);
        for name in ["Connection", "host", "upgrade", "x-forwarded-for", "x_forwarded_for", "Proxy_Connection"] {
            assert!(matches!(judge(name, false), Verdict::Refused(_)), "{name}");
            assert_eq!(judge(name, true), Verdict::NotNeeded, "{name}");
        }
        assert_eq!(judge("Content-Length", false), Verdict::NotNeeded);
        assert_eq!(judge("content_length", true), Verdict::NotNeeded);
        assert_eq!(judge("x-user_name", false), Verdict::Allowed);
    }
}
