//! The URL of a broker, taken apart.

use tollgate_filter_api::{Problem, percent_decoded};

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Stomp,
    Amqp10,
    Amqp091,
}

/// Where, and what is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    pub(crate) secure: bool,
    /// Without the brackets of a literal IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The virtual host, when the path names one.
    pub(crate) vhost: Option<String>,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, Problem> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("expected SCHEME://HOST[:PORT][/VHOST]", url))?;
        let (protocol, secure, default) = match scheme {
            "stomp" => (Protocol::Stomp, false, 61613),
            "stomp+tls" => (Protocol::Stomp, true, 61614),
            "amqp10" => (Protocol::Amqp10, false, 5672),
            "amqp10+tls" => (Protocol::Amqp10, true, 5671),
            "amqp" => (Protocol::Amqp091, false, 5672),
            "amqps" => (Protocol::Amqp091, true, 5671),
            _ => return Err(wrong("expected the scheme stomp, stomp+tls, amqp10, amqp10+tls, amqp or amqps", url)),
        };
        if rest.contains(['@', '?', '#']) {
            return Err(wrong("expected a URL without user information, query or fragment", url)
                .hint("credentials have settings of their own, so that they end up in no log"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority).ok_or_else(|| wrong("expected HOST or HOST:PORT", url))?;
        let vhost = if path.is_empty() { None } else { Some(decoded(path).ok_or_else(|| wrong("expected a percent-encoded name", url))?) };
        Ok(Self { protocol, secure, host, port: port.unwrap_or(default), vhost })
    }
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (host, rest) = literal.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
    if host.is_empty() || !host.chars().all(known) {
        return None;
    }
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0)).map_or(Some(None), |port| port.map(Some))?;
    Some((host.to_ascii_lowercase(), port))
}

fn decoded(path: &str) -> Option<String> {
    String::from_utf8(percent_decoded(path)?).ok().filter(|name| name.len() <= 255 && !name.chars().any(char::is_control))
}

/// The URL is repeated without what might be a password.
fn wrong(expected: &str, url: &str) -> Problem {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
        (None, Some((_, rest))) => format!("***@{rest}"),
        _ => url.to_owned(),
    };
    Problem::error("broker.url", format!("{expected}, found `{shown}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Option<(Protocol, bool, String, u16, Option<String>)> {
        Endpoint::parse(url).ok().map(|e| (e.protocol, e.secure, e.host, e.port, e.vhost))
    }

    #[test]
    fn the_scheme_says_protocol_and_port() {
        let of = |url| read(url).map(|(protocol, secure, _, port, _)| (protocol, secure, port));
        assert_eq!(of("stomp://b"), Some((Protocol::Stomp, false, 61613)));
        assert_eq!(of("stomp+tls://b"), Some((Protocol::Stomp, true, 61614)));
        assert_eq!(of("amqp10://b"), Some((Protocol::Amqp10, false, 5672)));
        assert_eq!(of("amqp10+tls://b"), Some((Protocol::Amqp10, true, 5671)));
        assert_eq!(of("amqp://b"), Some((Protocol::Amqp091, false, 5672)));
        assert_eq!(of("amqps://b:15671"), Some((Protocol::Amqp091, true, 15671)));
    }

    #[test]
    fn the_path_is_the_virtual_host() {
        let vhost = |url| read(url).and_then(|(.., vhost)| vhost);
        assert_eq!(vhost("amqp://b"), None);
        assert_eq!(vhost("amqp://b/"), None);
        assert_eq!(vhost("amqp://b/%2f").as_deref(), Some("/"));
        assert_eq!(vhost("amqp://b/carbon").as_deref(), Some("carbon"));
        assert_eq!(read("amqp://b/%+f"), None);
        assert_eq!(read("amqp://b/%0a"), None);
        assert_eq!(read("amqp://b/%f"), None);
    }

    #[test]
    fn a_literal_address_loses_its_brackets() {
        assert_eq!(read("stomp://[::1]:7"), Some((Protocol::Stomp, false, "::1".into(), 7, None)));
        assert_eq!(read("stomp://[::1"), None);
        assert_eq!(read("stomp://[zz]"), None);
    }

    #[test]
    fn what_is_no_url_of_a_broker_is_refused() {
        for url in
            ["b:1", "http://b", "stomp://", "stomp://:1", "stomp://b:0", "stomp://b:99999", "stomp://b c", "stomp://b?x=1", "tcp://b"]
        {
            assert_eq!(read(url), None, "{url}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        for url in ["stomp://u:hunter2@b", "stomp:u:hunter2@b", "stomp://b?password=hunter2"] {
            let problem = Endpoint::parse(url).unwrap_err();
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
