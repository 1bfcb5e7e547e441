//! The one normal form of `Host` and `:authority` (RFC 3986 §3.2, RFC 9110 §7.2).
//!
//! Protects against hosts that two readers cut differently: user information, blanks, commas, escapes and non-ASCII bytes
//! are refused (internationalised names come as A-labels). Does not say which hosts are served.

use std::{
    borrow::Cow,
    net::Ipv6Addr,
    sync::{Arc, Mutex},
};

use tollgate_filter_api::{Cause, CauseKind, Rule};

use super::rejection::Rejection;

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Not a host.
pub static HOST: Rejection = Rejection::new(
    "request.host",
    "The Host of the request is not valid.",
    "`Host` or `:authority` is missing, sent twice, or not a name or address with an optional port.",
    Cause::new(CauseKind::Malformed, "field `Host`", Rule::Fixed("RFC 9110 §7.2")),
);

/// A host in its normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'h> {
    /// Lower case, without a trailing dot; an IPv6 address in brackets and in its shortest form.
    pub name: Cow<'h, str>,
    /// The port, when one was given.
    pub port: Option<u16>,
}

/// Reads the value of `Host` or `:authority`; borrows when the name has its normal form.
///
/// # Errors
/// [`HOST`].
pub fn normalize(value: &[u8]) -> Result<Host<'_>, &'static Rejection> {
    let value = std::str::from_utf8(value).map_err(|_| &HOST)?;
    if is_normal(value) {
        return Ok(Host { name: Cow::Borrowed(value), port: None });
    }
    if let Some(rest) = value.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(&HOST)?;
        let address: Ipv6Addr = address.parse().map_err(|_| &HOST)?;
        let port = if port.is_empty() { None } else { self::port(port.strip_prefix(':').ok_or(&HOST)?)? };
        return Ok(Host { name: Cow::Owned(format!("[{address}]")), port });
    }
    let (name, port) = match value.split_once(':') {
        Some((name, port)) => (name, self::port(port)?),
        None => (value, None),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > LONGEST_NAME || !name.split('.').all(is_label) {
        return Err(&HOST);
    }
    let name = if name.bytes().any(|b| b.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) };
    Ok(Host { name, port })
}

/// The normal form as text: the name, and the port if there is one.
///
/// # Errors
/// [`HOST`].
pub fn text(sent: &[u8]) -> Result<Arc<str>, &'static Rejection> {
    let host = normalize(sent)?;
    Ok(match host.port {
        Some(port) => format!("{}:{port}", host.name).into(),
        None => host.name.into(),
    })
}

/// A host in normal form without its port.
pub fn name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    }
}

/// The host that one connection asked for last. Most connections only ever ask for one.
#[derive(Debug, Default)]
pub struct LastHost(Mutex<Option<Spelling>>);

#[derive(Debug)]
struct Spelling {
    sent: Box<[u8]>,
    normal: Arc<str>,
}

impl LastHost {
    /// What [`text`] says, which is asked only when the host is not the last one.
    ///
    /// # Errors
    /// [`HOST`].
    pub fn text(&self, sent: &[u8]) -> Result<Arc<str>, &'static Rejection> {
        // Streams of one connection may meet here; none waits for another.
        let Ok(mut last) = self.0.try_lock() else { return text(sent) };
        if let Some(last) = last.as_ref().filter(|last| *last.sent == *sent) {
            return Ok(last.normal.clone());
        }
        let normal = text(sent)?;
        *last = Some(Spelling { sent: sent.into(), normal: normal.clone() });
        Ok(normal)
    }
}

/// A name in lower case without a port, such as most requests have, judged in one pass.
fn is_normal(value: &str) -> bool {
    let mut label = 0;
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' if label < LONGEST_LABEL => label += 1,
            b'.' if label > 0 => label = 0,
            _ => return false,
        }
    }
    label > 0 && value.len() <= LONGEST_NAME
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// An empty port is no port (RFC 3986 §3.2.3).
fn port(text: &str) -> Result<Option<u16>, &'static Rejection> {
    match text {
        "" => Ok(None),
        _ if text.len() > 5 || !text.bytes().all(|b| b.is_ascii_digit()) => Err(&HOST),
        _ => text.parse().ok().filter(|&port| port > 0).map(Some).ok_or(&HOST),
    }
}
