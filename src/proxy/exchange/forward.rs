//! What goes upstream beside the client's own fields: one place for path, host, forwarding fields and credentials.
//!
//! - The path is the endpoint's, then what follows the base path, in normal form; the query as sent.
//! - `Host` is the endpoint's, unless `preserve_host` keeps the client's.
//! - Hop-by-hop fields are gone by now (RFC 9110 §7.6.1), and what the client's `Connection` names goes before the first filter
//!   runs, so that it cannot take away what the gateway writes. A `Connection` that names `Host`, a length or a forwarding field
//!   is refused.
//! - `X-Forwarded-For`, `-Proto` and `-Host` are written anew, behind the filters, who never see them. What a client sent is dropped;
//!   what a trusted proxy sent is continued: the address list is appended to, proto and host are kept. `X-Forwarded-Port`, `X-Real-IP` and
//!   `Forwarded` (RFC 7239) are dropped, whoever sent them: upstreams must not find two accounts that differ.
//! - `Via` is continued by the gateway's name, whoever sent it (RFC 9110 §7.6.3).
//! - `X-Request-Id`, or what `request_id.header` names, is written by the gateway alone.
//! - Names of fields are sent in lower case, but for `Host` and a few more: as over HTTP/2, whatever the client spoke.
//! - `X-Original-URL` and its like are dropped, whoever sent them: upstreams would serve another target than the one that was judged.
//! - A certificate in a field (`Client-Cert`, `X-Forwarded-Client-Cert` and their like) is dropped, whoever sent it.
//! - Whatever else only a proxy can know is dropped unless a trusted one sent it ([`families`](crate::proxy::fields::families)).
//! - `X-JWT-Assertion` of clients is dropped; an upstream's never reaches a client.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use pingora::http::RequestHeader;
use tollgate_filter_api::{Forwarded, IllegalHeader, RequestId};

use super::admit::Seen;
use crate::{
    config::TrustedProxies,
    proxy::{
        client::connection::Connection,
        fields::{
            families::Families,
            request_id::{self, Ids},
            reserved::Owned,
        },
    },
    upstreams::Target,
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The gateway's word on the caller, for upstreams only.
pub const ASSERTION: HeaderName = HeaderName::from_static("x-jwt-assertion");
/// How many fields the gateway adds at most.
const WRITTEN: usize = 6;

/// Whether the connection's other end is a proxy that is believed.
pub fn is_trusted(connection: &Connection, proxies: &TrustedProxies) -> bool {
    !proxies.is_empty() && proxies.contains(connection.address)
}

/// The client's address: the connection's, or, through trusted proxies, the last address in their list that is none of them. None
/// when a trusted proxy names somebody there who has no address, such as `unknown`: to take the proxy for that client would give
/// the client whatever the proxy may do.
pub fn client(headers: &HeaderMap, connection: &Connection, proxies: &TrustedProxies) -> Option<IpAddr> {
    if !is_trusted(connection, proxies) {
        return Some(connection.address);
    }
    let mut client = connection.address;
    for value in headers.get_all(&FOR).iter().rev() {
        let entries = value.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        // An element without anything is none (RFC 9110 §5.6.1).
        for entry in entries.filter(|entry| !entry.is_empty()) {
            client = address(entry)?;
            if !proxies.contains(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// The address of an entry, which some proxies write with a port, one of IPv6 in brackets then.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => text.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip())).ok()?,
    };
    Some(address.to_canonical())
}

/// Lets `change` at the target and the fields themselves. The engine's own way keeps each field's spelling in a second map that is
/// searched, grown and copied with the first; what passes here loses it. Names are not case-sensitive (RFC 9110 §5.1), and
/// upstreams get them as over HTTP/2: in lower case, but for the few that the engine writes with capitals.
fn direct<T>(req: &mut RequestHeader, change: impl FnOnce(&mut Parts) -> T) -> T {
    let (stand_in, ()) = http::Request::new(()).into_parts();
    let mut parts: Parts = std::mem::replace(req, stand_in.into()).into();
    let result = change(&mut parts);
    *req = parts.into();
    result
}

/// Takes the fields away that only a proxy can know the value of, and what the client's `Connection` names, before the first filter
/// runs. What trusted proxies say of the way comes back; what others say is lost.
///
/// # Errors
/// A `Connection` that names what frames the message, or a list that no field may hold.
pub fn take(
    req: &mut RequestHeader,
    seen: Seen,
    connection: &Connection,
    proxies: &TrustedProxies,
    families: &Families,
) -> Result<Option<Box<Forwarded>>, IllegalHeader> {
    if !seen.connection && !seen.upgrade && !seen.forwarding {
        return Ok(None);
    }
    direct(req, |parts| {
        let headers = &mut parts.headers;
        if seen.connection {
            drop_nominated(headers)?;
        }
        if seen.upgrade && !joined(headers, &header::CONNECTION).is_some_and(|list| names(&list, "upgrade")) {
            // A wish that the client's connection does not carry is none (RFC 9110 §7.8), but the engine would fulfil it.
            headers.remove(header::UPGRADE);
        }
        let trusted = is_trusted(connection, proxies);
        let forwarded = if trusted { told(headers, connection)? } else { None };
        if seen.forwarding {
            families.strip(headers, trusted);
        }
        Ok(forwarded)
    })
}

/// What a trusted proxy says, continued by its own address.
fn told(headers: &HeaderMap, connection: &Connection) -> Result<Option<Box<Forwarded>>, IllegalHeader> {
    let addresses = joined(headers, &FOR).map(|before| value(&format!("{before}, {}", connection.address))).transpose()?;
    // Of several, the last is what the proxy itself wrote: one that adds a field leaves the client's before its own.
    let last = |name: &HeaderName| headers.get_all(name).iter().next_back().cloned();
    let (scheme, host) = (last(&PROTO), last(&HOST));
    let something = addresses.is_some() || scheme.is_some() || host.is_some();
    Ok(something.then(|| Box::new(Forwarded { addresses, scheme, host })))
}

fn value(text: &str) -> Result<HeaderValue, IllegalHeader> {
    HeaderValue::from_str(text).map_err(|_| IllegalHeader)
}

/// Takes away the fields that the client's `Connection` names. The engine does so too, but only after the filters: what they and
/// the gateway wrote under such a name would go with it. What frames the message or says where it goes cannot be named, and a list
/// that cannot be read is refused as well, since the engine would read it otherwise.
fn drop_nominated(headers: &mut HeaderMap) -> Result<(), IllegalHeader> {
    if headers.get_all(header::CONNECTION).iter().any(|value| value.to_str().is_err()) {
        return Err(IllegalHeader);
    }
    let Some(list) = joined(headers, &header::CONNECTION) else { return Ok(()) };
    let (mut kept, mut named) = (Vec::new(), Vec::new());
    for token in list.split(',').map(str::trim_ascii).filter(|token| !token.is_empty()) {
        match token.to_ascii_lowercase().as_str() {
            // Options of the connection.
            "close" | "keep-alive" | "upgrade" => kept.push(token),
            "content-length" | "transfer-encoding" | "host" | "via" => return Err(IllegalHeader),
            "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => return Err(IllegalHeader),
            _ => named.push(token),
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    for name in named {
        headers.remove(HeaderName::from_bytes(name.as_bytes()).map_err(|_| IllegalHeader)?);
    }
    headers.remove(header::CONNECTION);
    if !kept.is_empty() {
        headers.insert(header::CONNECTION, value(&kept.join(", "))?);
    }
    Ok(())
}

/// Whether a list of tokens has this one.
fn names(list: &str, token: &str) -> bool {
    list.split(',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token))
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Whether a head holds what the engine must take away before it goes upstream (RFC 9110 §7.6.1). Its own way looks each of ten
/// names up; most requests have none of them.
pub fn is_hop_by_hop(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(
            name.as_str(),
            "te" | "trailer"
                | "upgrade"
                | "connection"
                | "keep-alive"
                | "http2-settings"
                | "proxy-connection"
                | "transfer-encoding"
                | "proxy-authenticate"
                | "proxy-authorization"
        )
    })
}

/// Where a request comes from.
pub struct Way<'a> {
    /// The client's connection.
    pub connection: &'a Connection,
    /// What trusted proxies say of the way before.
    pub forwarded: Option<&'a Forwarded>,
    /// The gateway's own part of `Via`.
    pub via: HeaderValue,
}

impl Way<'_> {
    /// Writes `Via` and `X-Forwarded-*`. The field with the host that the client sent is used again when it is in normal form.
    fn write(self, headers: &mut HeaderMap, host: &str, sent: Option<HeaderValue>) -> Result<(), IllegalHeader> {
        headers.append(header::VIA, self.via);
        let told = self.forwarded;
        let addresses = told.and_then(|told| told.addresses.clone());
        headers.insert(FOR, addresses.unwrap_or_else(|| self.connection.forwarded_for.clone()));
        let scheme = told.and_then(|told| told.scheme.clone());
        let own = if self.connection.secure { "https" } else { "http" };
        headers.insert(PROTO, scheme.unwrap_or(HeaderValue::from_static(own)));
        let original = match (told.and_then(|told| told.host.clone()), sent) {
            (Some(told), _) => told,
            (None, _) if host.is_empty() => return Ok(()),
            (None, Some(sent)) if sent.as_bytes() == host.as_bytes() => sent,
            (None, _) => value(host)?,
        };
        headers.insert(HOST, original);
        Ok(())
    }
}

/// Where a request goes.
pub struct Heading<'a> {
    /// Where it comes from.
    pub way: Way<'a>,
    /// The upstream.
    pub target: &'a Target,
    /// Its request target.
    pub path_and_query: String,
    /// The client's host, in normal form.
    pub host: &'a str,
    /// What the request is called, and where that is written.
    pub ids: (&'a Ids, RequestId),
    /// What must not go there, when the client sent some of it.
    pub owned: Option<&'a Owned>,
}

/// Points a request at a target: path, host, credentials; says where it comes from, names it, and takes away what filters own.
///
/// # Errors
/// Never in practice: path and host were judged before.
pub fn aim(req: &mut RequestHeader, to: Heading<'_>) -> Result<(), IllegalHeader> {
    direct(req, |parts| {
        parts.uri = http::Uri::try_from(to.path_and_query).map_err(|_| IllegalHeader)?;
        if let Some(owned) = to.owned {
            owned.strip(&mut parts.headers);
        }
        parts.headers.reserve(WRITTEN);
        let kept = to.target.preserve_host && !to.host.is_empty();
        let host = if kept { value(to.host)? } else { to.target.host_header.clone() };
        let sent = parts.headers.insert(header::HOST, host);
        to.way.write(&mut parts.headers, to.host, sent)?;
        let (ids, id) = to.ids;
        if ids.upstream {
            parts.headers.insert(ids.field.clone(), request_id::value(id));
        } else {
            parts.headers.remove(&ids.field);
        }
        if let Some(authorization) = &to.target.authorization {
            parts.headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/forward.rs"]
mod tests;
