//! Which fields a guest may write.

use http::HeaderName;
use tollgate_filter_api::reserved;

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// The gateway sees to it by itself, and a guest that does so too means the same.
    NotNeeded,
    /// The rule that it breaks.
    Refused(&'static str),
}

/// Whether a guest may write a field. `removes`: it takes it out.
pub fn judge(name: &HeaderName, removes: bool) -> Verdict {
    let is = |own: &str| name.as_str().len() == own.len() && name.as_str().replace('_', "-") == own;
    match reserved(name.as_str()) {
        None => Verdict::Allowed,
        // Bodies that a guest changes get their own length; filters for other hosts take the field out by themselves.
        Some(_) if removes || is("content-length") || is("transfer-encoding") => Verdict::NotNeeded,
        Some(why) => Verdict::Refused(why),
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
