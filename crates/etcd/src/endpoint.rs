//! The URL of a member, taken apart.

use http::Uri;
use tollgate_filter_api::Problem;

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
    pub(crate) fn parse(url: &str) -> Result<Self, Problem> {
        let uri: Uri = url.parse().map_err(|_| wrong(url))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong(url)),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(|| wrong(url))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(wrong(url));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => PORT,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(|| wrong(url))?,
        };
        let base = format!("{}://{}:{port}", if secure { "https" } else { "http" }, authority.host());
        Ok(Self { secure, host, port, base })
    }
}

/// What might be a password is not repeated.
fn wrong(url: &str) -> Problem {
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some(_)) => "a text with `@`".to_owned(),
        _ => url.split('?').next().unwrap_or_default().to_owned(),
    };
    Problem::error("etcd.endpoints", format!("expected http://HOST[:PORT] or https://HOST[:PORT], found `{shown}`"))
        .hint("credentials have settings of their own, so that they end up in no log")
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
