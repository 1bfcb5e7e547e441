//! URLs of endpoints and servers (RFC 3986), taken apart as far as routing needs it.

use tollgate_filter_api::Problem;
use tollgate_url::{Url, UrlError, redacted};

use crate::input::sources::short;

/// What is wrong with a text that should be the URL of an endpoint, without its place.
pub(crate) fn endpoint_problem(text: &str) -> Option<Problem> {
    let error = Url::parse_http(text).err()?;
    let problem = Problem::error("endpoint.url", format!("the URL `{}` {error}", short(&redacted(text))));
    Some(problem.hint(match error {
        UrlError::UserInformation => "write it under `securityConfig`, or under `endpoints` of the environment",
        _ => "an endpoint reads `https://host:port/base`",
    }))
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
    fn what_is_no_endpoint_is_named_without_its_secrets() {
        assert_eq!(endpoint_problem("HTTP://h_1.x:8443/a?b=c&d"), None);
        let problem = endpoint_problem("http://u:secret@h/a?b=secret").unwrap();
        assert_eq!(
            (problem.code, problem.hint.as_str()),
            ("endpoint.url", "write it under `securityConfig`, or under `endpoints` of the environment")
        );
        assert!(problem.message.starts_with("the URL `http://***@h/a` holds user information"), "{problem}");
    }

    #[test]
    fn the_path_of_a_server_needs_no_authority() {
        for (url, expected) in [("https://h/v1/x?y", "/v1/x"), ("https://h", ""), ("//h/v1", "/v1"), ("/v1#f", "/v1"), ("v1", "v1")] {
            assert_eq!(path(url), expected, "{url}");
        }
    }
}
