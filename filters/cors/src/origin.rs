//! Which origins are meant, and what an origin looks like.

use tollgate_filter_api::HeaderValue;

/// The origins that are allowed.
#[derive(Debug)]
pub(crate) enum Origins {
    /// Every one that looks like an origin; `null` does not.
    Any,
    /// These, byte for byte.
    Listed(Vec<Box<str>>),
}

impl Origins {
    /// `*` counts only when it stands alone; the caller has refused it elsewhere.
    pub(crate) fn new(listed: &[String]) -> Self {
        if listed.iter().any(|origin| origin == "*") {
            return Self::Any;
        }
        // Browsers write scheme and host in lower case.
        Self::Listed(listed.iter().map(|origin| origin.to_ascii_lowercase().into()).collect())
    }

    /// Whether pages of this origin may read answers. What is allowed can be echoed: it holds no list, space or quote.
    pub(crate) fn allow(&self, origin: &HeaderValue) -> bool {
        let origin = origin.as_bytes();
        match self {
            Self::Any => is_origin(origin),
            Self::Listed(listed) => (origin == b"null" || is_origin(origin)) && listed.iter().any(|one| one.as_bytes() == origin),
        }
    }
}

/// Longest origin: a scheme, `://`, a host name of 253 bytes, a port.
const LONGEST: usize = 320;

/// The serialised form of RFC 6454 §6.1: scheme, `://`, host, and at most a port.
fn is_origin(origin: &[u8]) -> bool {
    if origin.len() > LONGEST {
        return false;
    }
    let Some(at) = origin.windows(3).position(|part| part == b"://") else { return false };
    let (scheme, authority) = (&origin[..at], &origin[at + 3..]);
    is_scheme(scheme) && !authority.is_empty() && authority.iter().all(|byte| is_authority(*byte))
}

fn is_scheme(scheme: &[u8]) -> bool {
    let rest = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(rest)
}

/// Bytes of a host name, an address in brackets and a port.
fn is_authority(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(origin: &[u8]) -> bool {
        Origins::Any.allow(&HeaderValue::from_bytes(origin).expect("a legal value"))
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_at_most_a_port() {
        for good in ["https://a.example", "http://localhost:3000", "http://[::1]:80", "chrome-extension://abcdef", "capacitor://localhost"]
        {
            assert!(any(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "null",
            "a.example",
            "://a",
            "https://",
            "https://a/",
            "https://a b",
            "https://a,https://b",
            "1http://a",
            "ht_tp://a",
            "ht\"tp://a",
            "https://a\"",
            "https://ä",
            "*",
        ] {
            assert!(!any(bad.as_bytes()), "{bad}");
        }
        assert!(!any(format!("https://{}", "a".repeat(400)).as_bytes()));
    }

    #[test]
    fn a_listed_origin_matches_byte_for_byte_in_the_form_browsers_write() {
        let origins = Origins::new(&["https://Shop.Example".to_owned()]);
        let allow = |origin| origins.allow(&HeaderValue::from_static(origin));
        assert!(allow("https://shop.example"));
        for other in ["https://shop.example:443", "http://shop.example", "https://shop.example.evil", "https://xshop.example", "null"] {
            assert!(!allow(other), "{other}");
        }
    }
}
