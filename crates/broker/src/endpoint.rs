//! The URL of a broker, taken apart.

use tollgate_filter_api::{Problem, percent_decoded};
use tollgate_url::{Url, UrlError, redacted};

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

/// What the schemes stand for: the protocol, whether it is encrypted, and the usual port.
const SCHEMES: [(&str, Protocol, bool, u16); 6] = [
    ("stomp", Protocol::Stomp, false, 61613),
    ("stomp+tls", Protocol::Stomp, true, 61614),
    ("amqp10", Protocol::Amqp10, false, 5672),
    ("amqp10+tls", Protocol::Amqp10, true, 5671),
    ("amqp", Protocol::Amqp091, false, 5672),
    ("amqps", Protocol::Amqp091, true, 5671),
];
const NAMES: [&str; 6] = {
    let mut names = [""; 6];
    let mut i = 0;
    while i < names.len() {
        names[i] = SCHEMES[i].0;
        i += 1;
    }
    names
};

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = |what: &str| {
            let message = format!("the URL `{}` {what}", redacted(text));
            Problem::error("broker.url", message).hint("write SCHEME://HOST[:PORT][/VHOST]")
        };
        let url = Url::parse(text, &NAMES).map_err(|error| wrong(&error.to_string()))?;
        if url.query.is_some() {
            return Err(wrong(&UrlError::Query.to_string()));
        }
        let Some((_, protocol, secure, default)) = SCHEMES.into_iter().find(|(name, ..)| *name == url.scheme) else {
            return Err(wrong(&UrlError::Scheme(&NAMES).to_string()));
        };
        let vhost = match url.path.strip_prefix('/').filter(|path| !path.is_empty()) {
            None => None,
            Some(path) => Some(decoded(path).ok_or_else(|| wrong("has a path that names no virtual host"))?),
        };
        Ok(Self { protocol, secure, host: url.host, port: url.port.unwrap_or(default), vhost })
    }
}

fn decoded(path: &str) -> Option<String> {
    String::from_utf8(percent_decoded(path)?).ok().filter(|name| name.len() <= 255 && !name.chars().any(char::is_control))
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
