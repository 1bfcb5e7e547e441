//! URLs of endpoints and servers (RFC 3986), taken apart as far as routing needs it.

use crate::structure::text::is_uri_reference;

/// Why a text is no endpoint URL; reads on after "the URL".
pub(crate) fn check_endpoint(url: &str) -> Result<(), &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("has no `http://` or `https://` in front")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err("is neither http nor https");
    }
    if !url.is_ascii() || !is_uri_reference(url) {
        return Err("has characters that do not belong in a URL");
    }
    if url.contains('#') {
        return Err("has a fragment, which is never sent");
    }
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return Err("has user information; write it under `securityConfig`");
    }
    check_authority(authority)
}

fn check_authority(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("has an IPv6 address without `]`")?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| "has an IPv6 address that is none")?;
            (address, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    let in_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':');
    if !host.bytes().all(in_host) {
        return Err("has a host name with characters that do not belong there");
    }
    let good_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some("") => true,
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|p| p > 0),
    };
    if good_port { Ok(()) } else { Err("has a port that is not a number from 1 to 65535") }
}

/// Whether a server URL is absolute and http.
pub(crate) fn is_absolute_http(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| s.eq_ignore_ascii_case("http") || s.eq_ignore_ascii_case("https"))
}

/// The path of a server URL, which may be relative: without authority, query and fragment.
pub(crate) fn path(url: &str) -> &str {
    let rest = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => after_authority(rest),
        _ => url.strip_prefix("//").map_or(url, after_authority),
    };
    &rest[..rest.find(['?', '#']).unwrap_or(rest.len())]
}

fn after_authority(rest: &str) -> &str {
    &rest[rest.find(['/', '?', '#']).unwrap_or(rest.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_absolute_http_url() {
        for good in ["http://h", "https://h:8443/a?b=c&d", "http://[::1]:80/", "HTTP://h_1.x"] {
            assert_eq!(check_endpoint(good), Ok(()), "{good}");
        }
        for bad in [
            "h/a",
            "ftp://h",
            "http://",
            "http://:80",
            "http://h:0",
            "http://h:99999",
            "http://h:a",
            "http://u:p@h",
            "http://h/#f",
            "http://h/a b",
            "http://[::1",
            "http://[x]/",
            "http://h%20",
            "http://h/{x}",
        ] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_path_of_a_server_needs_no_authority() {
        for (url, expected) in [("https://h/v1/x?y", "/v1/x"), ("https://h", ""), ("//h/v1", "/v1"), ("/v1#f", "/v1"), ("v1", "v1")] {
            assert_eq!(path(url), expected, "{url}");
        }
    }
}
