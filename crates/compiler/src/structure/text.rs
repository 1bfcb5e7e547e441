//! Formats of texts: what RFC 3986, RFC 9110 and the specification allow in them.

/// A URI reference by its characters (RFC 3986 §2); characters beyond ASCII are let through, as in an IRI.
pub(crate) fn is_uri_reference(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(i, byte)| match byte {
        b'%' => bytes.get(i + 1..i + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        byte => !byte.is_ascii_control() && *byte != b' ',
    })
}

/// Something, an `@`, something, and no blank.
pub(crate) fn is_email(text: &str) -> bool {
    let parts = text.rsplit_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()) && !text.contains(char::is_whitespace)
}

/// `^[a-zA-Z0-9.\-_]+$`
pub(crate) fn is_component_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// `200`, `2XX` or `default`; 2.0 takes any three digits and no ranges.
pub(crate) fn is_status(text: &str, version_20: bool) -> bool {
    let bytes = text.as_bytes();
    if text == "default" {
        return true;
    }
    let digits = |b: &[u8]| b.iter().all(u8::is_ascii_digit);
    match (bytes.len(), version_20) {
        (3, true) => digits(bytes),
        (3, false) => (b'1'..=b'5').contains(&bytes[0]) && (digits(&bytes[1..]) || &bytes[1..] == b"XX"),
        _ => false,
    }
}

/// A token (RFC 9110 §5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    let extra = b"!#$%&'*+-.^_`|~";
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
}

/// A method that is not one of a path item's own members.
pub(crate) fn is_extra_method(text: &str) -> bool {
    let own = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "QUERY"];
    is_token(text) && !own.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_of_a_url_make_one() {
        for good in ["", "ha7V,jWJW", "https://h/a?b=c#d", "/x%20y", "http://bücher.example"] {
            assert!(is_uri_reference(good), "{good}");
        }
        for bad in ["ht<p://x", "a b", "%2", "{x}", "a\tb"] {
            assert!(!is_uri_reference(bad), "{bad}");
        }
    }

    #[test]
    fn a_status_is_a_number_or_a_range() {
        assert!(is_status("200", false) && is_status("5XX", false) && is_status("default", true));
        assert!(!is_status("600", false) && !is_status("2xx", false) && !is_status("2XX", true));
    }
}
