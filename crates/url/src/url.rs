//! One URL.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use http::uri::PathAndQuery;

use crate::UrlError;

/// Longest URL that is read.
const LONGEST: usize = 8 << 10;

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// One of those that were asked for.
    pub scheme: &'static str,
    /// Host and port as they are written.
    pub authority: String,
    /// In lower case, without the brackets of an IPv6 address.
    pub host: String,
    /// The port, when one is written; never 0.
    pub port: Option<u16>,
    /// As it is written: empty, or beginning with a slash.
    pub path: String,
    /// What follows `?`.
    pub query: Option<String>,
    /// Path and query as a request has them: at least a slash.
    pub target: PathAndQuery,
}

impl Url {
    /// Takes an absolute URL of one of these schemes apart. Schemes are in lower case.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str, schemes: &'static [&'static str]) -> Result<Self, UrlError> {
        if text.len() > LONGEST {
            return Err(UrlError::Length);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme(schemes))?;
        let scheme = schemes.iter().copied().find(|known| known.eq_ignore_ascii_case(scheme)).ok_or(UrlError::Scheme(schemes))?;
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInformation);
        }
        if !has_legal_characters(text) {
            return Err(UrlError::Characters);
        }
        let (host, port) = host_and_port(authority)?;
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query.to_owned())));
        let slash = if path.is_empty() { "/" } else { "" };
        let target = PathAndQuery::try_from(format!("{slash}{rest}")).map_err(|_| UrlError::Characters)?;
        Ok(Self { scheme, authority: authority.to_owned(), host: host.to_ascii_lowercase(), port, path: path.to_owned(), query, target })
    }

    /// The same for `http` and `https`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse_http(text: &str) -> Result<Self, UrlError> {
        Self::parse(text, &["http", "https"])
    }

    /// The same URL, of a server that is asked under paths of its own.
    ///
    /// # Errors
    /// When it has a path or a query.
    pub fn bare(self) -> Result<Self, UrlError> {
        match self {
            Self { query: Some(_), .. } => Err(UrlError::Query),
            Self { ref path, .. } if !matches!(path.as_str(), "" | "/") => Err(UrlError::Path),
            url => Ok(url),
        }
    }

    /// Whether it is one of `https`.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The port of an `http` or `https` URL, 80 or 443 where none is written.
    pub fn http_port(&self) -> u16 {
        self.port.unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// The host as a URL or `Host` has it: an IPv6 address in brackets.
    pub fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Whether the host is this machine, so that nobody on the way can read or change what is said.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Url {
    /// Without the query, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// RFC 3986 §2, and brackets, which many write bare into queries.
fn has_legal_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(i, byte)| match byte {
        b'%' => bytes.get(i + 1..i + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        b'<' | b'>' | b'"' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        byte => byte.is_ascii_graphic(),
    })
}

fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (host, rest) = literal.split_once(']').ok_or(UrlError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            (host, rest)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.bytes().all(|byte| byte == b'.') {
        return Err(UrlError::NoHost);
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':');
    if !host.bytes().all(legal) {
        return Err(UrlError::Host);
    }
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        // RFC 3986 §6.2.3: as if there were no colon.
        Some("") => Ok((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
            Ok(0) | Err(_) => Err(UrlError::Port),
            Ok(port) => Ok((host, Some(port))),
        },
        Some(_) => Err(UrlError::Port),
        None => Err(UrlError::Host),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
