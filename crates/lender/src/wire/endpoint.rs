//! The URL of a server, taken apart.

use tollgate_filter_api::Problem;
use tollgate_url::{Url, redacted};

/// Where Redis serves clients.
const REDIS: u16 = 6379;
/// Where its sentinels do.
const SENTINEL: u16 = 26379;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) secure: bool,
    /// Without the brackets of a literal IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Endpoint {
    pub(crate) fn of_redis(text: &str) -> Result<Self, Problem> {
        Self::parse(text, REDIS)
    }

    pub(crate) fn of_sentinel(text: &str) -> Result<Self, Problem> {
        Self::parse(text, SENTINEL)
    }

    /// Without a path: only database 0, since a cluster has no other.
    fn parse(text: &str, port: u16) -> Result<Self, Problem> {
        let url = Url::parse(text, &["redis", "rediss"]).and_then(Url::bare).map_err(|error| {
            let message = format!("the URL `{}` {error}", redacted(text));
            let hint = "write redis://HOST[:PORT] or rediss://HOST[:PORT]; user and password have settings of their own";
            Problem::error("counters.urls", message).hint(hint)
        })?;
        Ok(Self { secure: url.scheme == "rediss", port: url.port.unwrap_or(port), host: url.host })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.secure { "rediss" } else { "redis" };
        let bracketed = self.host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_a_server_is_and_whether_it_is_encrypted() {
        let read = |url| Endpoint::of_redis(url).unwrap().to_string();
        assert_eq!(read("redis://store"), "redis://store:6379");
        assert_eq!(read("rediss://Store:7/"), "rediss://store:7");
        assert_eq!(read("rediss://[::1]:7"), "rediss://[::1]:7");
        assert_eq!(Endpoint::of_sentinel("redis://store").unwrap().port, SENTINEL);
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_and_no_password_is_repeated() {
        for url in ["store:6379", "http://store", "redis://", "redis://store:0", "redis://store/1", "redis://store?password=hunter2"] {
            assert!(!Endpoint::of_redis(url).unwrap_err().to_string().contains("hunter2"), "{url}");
        }
        for url in ["redis://u:hunter2@store", "u:hunter2@store"] {
            let problem = Endpoint::of_redis(url).unwrap_err();
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
