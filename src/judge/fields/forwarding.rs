//! Forwarding fields of requests: which proxies are trusted, and what is removed before the first filter runs.
//!
//! The gateway writes these fields anew when the request goes upstream (`proxy::exchange::forward`).

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use pingora_http::RequestHeader;
use tollgate_filter_api::{Forwarded, IllegalHeader};

use super::families::Families;
use crate::{config::TrustedProxies, judge::admit::FieldsPresent};

/// The addresses that a request came through.
pub const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme that the client used.
pub const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Whether the other end of the connection is a trusted proxy.
pub fn is_trusted(address: IpAddr, proxies: &TrustedProxies) -> bool {
    !proxies.is_empty() && proxies.contains(address)
}

/// The client's address: the connection's, or behind trusted proxies the last address in their list that is not a trusted proxy.
/// `None` if the list has something else there, such as `unknown`: taking the proxy for the client would give the client the
/// proxy's rights.
pub fn client(headers: &HeaderMap, address: IpAddr, proxies: &TrustedProxies) -> Option<IpAddr> {
    if !is_trusted(address, proxies) {
        return Some(address);
    }
    let mut client = address;
    for value in headers.get_all(&FOR).iter().rev() {
        let entries = value.as_bytes().rsplit(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        // An element without anything is none (RFC 9110 §5.6.1).
        for entry in entries.filter(|entry| !entry.is_empty()) {
            client = entry_address(entry)?;
            if !proxies.contains(client) {
                return Some(client);
            }
        }
    }
    Some(client)
}

/// The address of an entry. Some proxies add a port; an IPv6 address is in brackets then.
fn entry_address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(bare) => IpAddr::V6(bare.parse().ok()?),
        None => text.parse().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip())).ok()?,
    };
    Some(address.to_canonical())
}

/// Calls `change` with the target and the fields. The engine's own methods also keep the spelling of each name in a second map; here
/// it is dropped, which is faster. Names are case-insensitive (RFC 9110 §5.1). Upstreams get them in lower case as over HTTP/2, but
/// for the few that the engine capitalizes.
pub fn direct<T>(req: &mut RequestHeader, change: impl FnOnce(&mut Parts) -> T) -> T {
    let (stand_in, ()) = http::Request::new(()).into_parts();
    let mut parts: Parts = std::mem::replace(req, stand_in.into()).into();
    let result = change(&mut parts);
    *req = parts.into();
    result
}

/// Removes the fields that only a proxy may write, and those that the client's `Connection` names, before the first filter runs.
/// Returns what a trusted proxy says in them; anybody else's values are dropped.
///
/// # Errors
/// A `Connection` that names what frames the message, or a list that no field may hold.
pub fn take(
    req: &mut RequestHeader,
    present: FieldsPresent,
    address: IpAddr,
    proxies: &TrustedProxies,
    families: &Families,
) -> Result<Option<Box<Forwarded>>, IllegalHeader> {
    if !present.connection && !present.upgrade && !present.forwarding {
        return Ok(None);
    }
    direct(req, |parts| {
        let headers = &mut parts.headers;
        if present.connection {
            drop_nominated(headers)?;
        }
        if present.upgrade && !joined(headers, &header::CONNECTION).is_some_and(|list| names(&list, "upgrade")) {
            // A wish that the client's connection does not carry is none (RFC 9110 §7.8), but the engine would fulfil it.
            headers.remove(header::UPGRADE);
        }
        let trusted = is_trusted(address, proxies);
        let forwarded = if trusted { continued(headers, address)? } else { None };
        if present.forwarding {
            families.strip(headers, trusted);
        }
        Ok(forwarded)
    })
}

/// What a trusted proxy says, with its own address added.
fn continued(headers: &HeaderMap, address: IpAddr) -> Result<Option<Box<Forwarded>>, IllegalHeader> {
    let addresses = joined(headers, &FOR).map(|before| value(&format!("{before}, {address}"))).transpose()?;
    // Of several, the last is what the proxy itself wrote: one that adds a field leaves the client's before its own.
    let last = |name: &HeaderName| headers.get_all(name).iter().next_back().cloned();
    let (scheme, host) = (last(&PROTO), last(&HOST));
    let something = addresses.is_some() || scheme.is_some() || host.is_some();
    Ok(something.then(|| Box::new(Forwarded { addresses, scheme, host })))
}

/// Text as a field's value.
///
/// # Errors
/// When no field may hold it.
pub fn value(text: &str) -> Result<HeaderValue, IllegalHeader> {
    HeaderValue::from_str(text).map_err(|_| IllegalHeader)
}

/// Removes the fields that the client's `Connection` names. The engine does so too, but after the filters, and would remove what they
/// and the gateway wrote under such a name. Refuses a list that names a field of framing or routing, and one that is not text, which
/// the engine would read differently.
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

/// Whether a list has this token.
fn names(list: &str, token: &str) -> bool {
    list.split(',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token))
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Whether a head has fields that the engine must remove before it goes upstream (RFC 9110 §7.6.1). The engine looks up each of ten
/// names; most requests have none of them.
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
