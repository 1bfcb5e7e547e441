//! URLs in answers: `Location`, `Content-Location`, `Refresh`.
//!
//! A URL of the upstream becomes a path, so that the client stays with the host that it asked for and nobody's `Host` is repeated.

use http::{HeaderName, HeaderValue, header};
use tollgate_filter_api::{Problem, ResponseHead};

use crate::{
    config::Back,
    paths::{Prefixed, first},
};

const LOCATIONS: [HeaderName; 2] = [header::LOCATION, header::CONTENT_LOCATION];

/// What is made of URLs.
#[derive(Debug)]
pub(crate) struct Links {
    hosts: Vec<Host>,
    paths: Vec<Prefixed>,
}

/// A host of the upstream. Without a port that of the scheme is meant.
#[derive(Debug)]
struct Host {
    name: Box<str>,
    port: Option<u16>,
}

impl Links {
    /// Judges what is written.
    ///
    /// # Errors
    /// What is no host or no path.
    pub(crate) fn parse(back: &Back) -> Result<Self, Problem> {
        let host = |(at, written): (usize, &String)| {
            let (name, port) = parted(written)
                .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte)))
                .ok_or_else(|| {
                    Problem::setting(format!("/back/hosts/{at}"), format!("{written:?} is no host"))
                        .hint("write a name and perhaps a port, without scheme and path: `app.internal:8080`")
                })?;
            Ok(Host { name: name.to_ascii_lowercase().into(), port })
        };
        let hosts = back.hosts.iter().enumerate().map(host).collect::<Result<_, _>>()?;
        Ok(Self { hosts, paths: Prefixed::list(&back.paths, "/back/paths")? })
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.paths.is_empty()
    }

    /// Changes a head.
    pub(crate) fn apply(&self, head: &mut ResponseHead) {
        for name in LOCATIONS {
            let changed = head.get(&name).and_then(|value| self.url(value.to_str().ok()?)).and_then(|url| HeaderValue::try_from(url).ok());
            if let Some(value) = changed {
                head.set(name, value);
            }
        }
        let refresh = head.get(&header::REFRESH).and_then(|value| self.refresh(value.to_str().ok()?));
        if let Some(value) = refresh.and_then(|value| HeaderValue::try_from(value).ok()) {
            head.set(header::REFRESH, value);
        }
    }

    /// What becomes of a URL; `None` when it stays.
    fn url(&self, url: &str) -> Option<String> {
        let path = match self.below_host(url) {
            // Browsers take what follows two slashes for a host, and a backslash for a slash.
            Some(rest) => format!("/{}", rest.trim_start_matches(['/', '\\'])),
            None if url.starts_with('/') && !url.starts_with("//") && !url.starts_with("/\\") => {
                return first(&self.paths, url).filter(|changed| changed != url);
            }
            None => return None,
        };
        Some(first(&self.paths, &path).unwrap_or(path))
    }

    /// What follows the host of a URL when that is one of the upstream's.
    fn below_host<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (usual, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (80, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (443, rest),
            _ => return None,
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        let (name, port) = parted(authority)?;
        let port = port.unwrap_or(usual);
        let is_one = |host: &Host| name.eq_ignore_ascii_case(&host.name) && port == host.port.unwrap_or(usual);
        self.hosts.iter().any(is_one).then_some(rest)
    }

    /// `5; url=https://…`, the URL with or without quotes.
    fn refresh(&self, value: &str) -> Option<String> {
        let (seconds, rest) = value.split_once([';', ','])?;
        let rest = rest.trim();
        let (key, url) = rest.split_once('=')?;
        if !key.trim().eq_ignore_ascii_case("url") {
            return None;
        }
        let url = url.trim();
        let bare = ['"', '\''].into_iter().find_map(|quote| url.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(url);
        self.url(bare).map(|url| format!("{}; url={url}", seconds.trim()))
    }
}

/// Name and port.
fn parted(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
    let (name, port) = colon.map_or((authority, None), |colon| (&authority[..colon], Some(&authority[colon + 1..])));
    let port = match port {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
        None => None,
    };
    (!name.is_empty() && (name.starts_with('[') || !name.contains(':'))).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prefix;

    fn links() -> Links {
        let paths = vec![Prefix { from: "/app".into(), to: "/shop".into() }];
        let hosts = vec!["App.internal:8080".into(), "plain.internal".into(), "[::1]:81".into()];
        Links::parse(&Back { hosts, paths, ..Back::default() }).expect("it is legal")
    }

    #[test]
    fn urls_of_the_upstream_become_paths_and_all_others_stay() {
        for (url, becomes) in [
            ("http://app.internal:8080/app/a?b#c", Some("/shop/a?b#c")),
            ("HTTPS://APP.internal:8080/other", Some("/other")),
            ("http://app.internal:8080", Some("/")),
            ("http://app.internal:8080?a", Some("/?a")),
            ("http://app.internal:8080//evil.example/", Some("/evil.example/")),
            ("http://app.internal:8080\\\\evil.example/", Some("/evil.example/")),
            ("http://plain.internal/app", Some("/shop")),
            ("https://plain.internal:443/app", Some("/shop")),
            ("http://[::1]:81/app", Some("/shop")),
            ("/app/a", Some("/shop/a")),
            ("/app", Some("/shop")),
            ("/apple", None),
            ("app/a", None),
            ("//app.internal:8080/a", None),
            ("/\\app/a", None),
            ("http://app.internal/app", None),
            ("http://plain.internal:81/app", None),
            ("https://plain.internal:80/app", None),
            ("http://u@plain.internal/app", None),
            ("http://plain.internal.evil/app", None),
            ("http://plain.internal:/app", None),
            ("ftp://plain.internal/app", None),
            ("http:/plain.internal/app", None),
            ("", None),
        ] {
            assert_eq!(links().url(url).as_deref(), becomes, "{url}");
        }
    }

    #[test]
    fn a_refresh_keeps_its_seconds() {
        for (value, becomes) in [
            ("5; url=http://plain.internal/app", Some("5; url=/shop")),
            ("0;URL='/app/a'", Some("0; url=/shop/a")),
            ("0,url=\"/app\"", Some("0; url=/shop")),
            ("5", None),
            ("5; /app", None),
            ("5; url=/other", None),
        ] {
            assert_eq!(links().refresh(value).as_deref(), becomes, "{value}");
        }
    }
}
