//! The URL of an endpoint, and what requests for it need of it.

use http::HeaderValue;
use tollgate_url::{Url, UrlError};

/// The parts of an endpoint's URL.
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
/// What is wrong with it.
pub fn parse(text: &str) -> Result<ParsedUrl, UrlError> {
    let mut url = Url::parse_http(text)?;
    url.host.truncate(url.host.trim_end_matches('.').len());
    let (bare, port) = (url.bracketed_host(), url.http_port());
    let is_usual = port == if url.is_https() { 443 } else { 80 };
    let written = if is_usual { bare } else { format!("{bare}:{port}") };
    let host_header = HeaderValue::try_from(written).map_err(|_| UrlError::Host)?;
    let path = url.path.trim_end_matches('/').to_owned();
    Ok(ParsedUrl { tls: url.is_https(), host: url.host, port, host_header, path, query: url.query })
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
}
