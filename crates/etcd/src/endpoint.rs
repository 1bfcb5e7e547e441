//! The URL of a member, taken apart.

use tollgate_filter_api::Problem;
use tollgate_url::{Url, redacted};

/// The port where etcd serves clients.
const PORT: u16 = 2379;

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) secure: bool,
    /// Without the brackets of a literal IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What requests begin with: `SCHEME://AUTHORITY`.
    pub(crate) base: String,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let url = Url::parse_http(text).and_then(Url::bare).map_err(|error| {
            let message = format!("the URL `{}` {error}", redacted(text));
            Problem::error("etcd.endpoints", message).hint("write http://HOST[:PORT] or https://HOST[:PORT]")
        })?;
        let port = url.port.unwrap_or(PORT);
        let base = format!("{}://{}:{port}", url.scheme, url.bracketed_host());
        Ok(Self { secure: url.is_https(), host: url.host, port, base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_a_member_is_and_whether_it_is_encrypted() {
        let read = |url| Endpoint::parse(url).map(|found| (found.secure, found.host, found.port, found.base));
        assert_eq!(read("http://etcd").unwrap(), (false, "etcd".into(), 2379, "http://etcd:2379".into()));
        assert_eq!(read("https://etcd:7/").unwrap(), (true, "etcd".into(), 7, "https://etcd:7".into()));
        assert_eq!(read("https://[::1]:7").unwrap(), (true, "::1".into(), 7, "https://[::1]:7".into()));
    }

    #[test]
    fn what_is_no_url_of_a_member_is_refused_and_no_password_is_repeated() {
        for url in
            ["etcd:2379", "ftp://etcd", "http://", "http://etcd:0", "http://etcd:x", "http://etcd/v3", "http://etcd?password=hunter2"]
        {
            assert!(!Endpoint::parse(url).unwrap_err().to_string().contains("hunter2"), "{url}");
        }
        for url in ["http://u:hunter2@etcd", "u:hunter2@etcd"] {
            let problem = Endpoint::parse(url).unwrap_err();
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
