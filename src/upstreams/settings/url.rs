//! Endpoint URLs, taken apart once.

use http::{HeaderValue, Uri};

/// The parts of an absolute endpoint URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParsedUrl {
    /// Lower case, without brackets and without the dot of a fully qualified name.
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// As it was written, without a default port.
    pub host_header: HeaderValue,
    /// Without a slash at its end.
    pub path: String,
    pub query: Option<String>,
}

/// Takes a URL apart.
///
/// # Errors
/// What is wrong with it, to follow the words `the URL … `. User information is not repeated.
pub fn parse(url: &str) -> Result<ParsedUrl, &'static str> {
    if url.contains('#') {
        return Err("has a fragment, which is never sent");
    }
    if !url.is_ascii() {
        return Err("holds characters that must be percent-encoded, or a name that must be written in its ASCII form");
    }
    let uri: Uri = url.parse().map_err(|_| "cannot be read as a URL")?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("does not begin with http:// or https://"),
    };
    let authority = uri.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') {
        return Err("holds user information; credentials belong in `endpoints` of the configuration");
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() {
        return Err("has no host");
    }
    let default_port = if tls { 443 } else { 80 };
    let port = match authority.as_str().rsplit_once(':') {
        Some((_, digits)) if !digits.contains(']') => digits.parse().map_err(|_| "has a port that is not a number up to 65535")?,
        _ => default_port,
    };
    if port == 0 {
        return Err("has port 0, to which nothing can be connected");
    }
    let bare = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let written = if port == default_port { bare } else { format!("{bare}:{port}") };
    let host_header = HeaderValue::try_from(written).map_err(|_| "has a host that no header can carry")?;
    let path = uri.path().trim_end_matches('/').to_owned();
    Ok(ParsedUrl { host, port, tls, host_header, path, query: uri.query().map(str::to_owned) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::parse;

    #[test]
    fn a_url_comes_apart() {
        let endpoint = parse("https://Api.Example.com:8443/base/v1/?key=1").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port, endpoint.tls), ("api.example.com", 8443, true));
        assert_eq!(endpoint.host_header, "api.example.com:8443");
        assert_eq!((endpoint.path.as_str(), endpoint.query.as_deref()), ("/base/v1", Some("key=1")));
    }

    #[test]
    fn the_default_port_is_not_repeated_in_host() {
        assert_eq!(parse("http://a.example").unwrap().port, 80);
        assert_eq!(parse("https://a.example:443/").unwrap().host_header, "a.example");
        assert_eq!(parse("http://a.example:443/").unwrap().host_header, "a.example:443");
    }

    #[test]
    fn an_address_of_version_6_keeps_its_brackets_in_host_only() {
        let endpoint = parse("http://[::1]:8080/x").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 8080));
        assert_eq!(endpoint.host_header, "[::1]:8080");
        assert_eq!(parse("http://[::1]/x").unwrap().port, 80);
    }

    #[test]
    fn a_name_and_its_fully_qualified_form_are_one() {
        assert_eq!(parse("https://a.example./").unwrap().host, "a.example");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for url in [
            "",
            "a.example",
            "/x",
            "ftp://a.example",
            "http://",
            "http://:80/",
            "http://a.example:0/",
            "http://a.example:99999/",
            "http://a.example:x/",
            "http://a.example/#x",
            "http://u:p@a.example/",
            "http://a b/",
            "http://a.example/\n",
            "http://./",
            "http://a.example/ü",
            "http://ü.example/",
        ] {
            assert!(parse(url).is_err(), "{url:?}");
        }
    }
}
