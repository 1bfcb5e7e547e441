//! What goes upstream beside the client's own fields: one place for path, host, forwarding fields and credentials.
//!
//! - The path is the endpoint's, then what follows the base path, in normal form; the query as sent.
//! - `Host` is the endpoint's, unless `preserve_host` keeps the client's.
//! - Hop-by-hop fields are gone by now (RFC 9110 §7.6.1), and what the client's `Connection` names goes before the first filter
//!   runs, so that it cannot take away what the gateway writes. A `Connection` that names `Host`, a length or a forwarding field
//!   is refused.
//! - `X-Forwarded-For`, `-Proto` and `-Host` are written anew. What a client sent is dropped; what a trusted proxy sent is
//!   continued: the address list is appended to, proto and host are kept. `X-Forwarded-Port` and `Forwarded` (RFC 7239) are
//!   dropped, whoever sent them: upstreams must not find two accounts that differ.
//! - `X-Request-Id` is the gateway's own.
//! - `X-Real-IP` and `X-JWT-Assertion` of clients are dropped; an upstream's `X-JWT-Assertion` never reaches a client.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::RequestHeader;

use super::connection::Connection;
use crate::{config::TrustedProxies, upstreams::Target};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The gateway's word on the caller, for upstreams only.
pub const ASSERTION: HeaderName = HeaderName::from_static("x-jwt-assertion");
/// The request's id, towards upstreams and clients.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same for the engine's request header, which keeps how a name is written.
pub const REQUEST_ID_AS_WRITTEN: &str = "X-Request-Id";

/// Whether the connection's other end is a proxy that is believed.
pub fn is_trusted(connection: &Connection, proxies: &TrustedProxies) -> bool {
    !proxies.is_empty() && proxies.contains(connection.address)
}

/// The client's address: the connection's, or, through trusted proxies, the last address in their list that is none of them.
pub fn client(headers: &HeaderMap, connection: &Connection, proxies: &TrustedProxies) -> IpAddr {
    if !is_trusted(connection, proxies) {
        return connection.address;
    }
    let mut client = connection.address;
    for value in headers.get_all(&FOR).iter().rev() {
        for entry in value.to_str().unwrap_or_default().rsplit(',') {
            let Ok(address) = entry.trim().parse::<IpAddr>() else { return client };
            client = address.to_canonical();
            if !proxies.contains(address) {
                return client;
            }
        }
    }
    client
}

/// What `X-Forwarded-*` and `Forwarded` of the client are replaced by, before the first filter runs.
pub fn rewrite(req: &mut RequestHeader, connection: &Connection, proxies: &TrustedProxies, host: &str) -> pingora::Result<()> {
    drop_nominated(req)?;
    let trusted = is_trusted(connection, proxies);
    let list = match trusted.then(|| joined(&req.headers, &FOR)).flatten() {
        Some(before) => value(&format!("{before}, {}", connection.address))?,
        None => connection.forwarded_for.clone(),
    };
    let kept = |name: &HeaderName| trusted.then(|| req.headers.get(name).cloned()).flatten();
    let proto = kept(&PROTO).unwrap_or(HeaderValue::from_static(if connection.secure { "https" } else { "http" }));
    let original_host = match kept(&HOST) {
        None => original_host(&req.headers, host)?,
        kept => kept,
    };
    if req.headers.keys().any(|name| name.as_str().starts_with("x-") || name == header::FORWARDED) {
        for name in [&PORT, &REAL_IP, &ASSERTION, &header::FORWARDED, &HOST] {
            req.remove_header(name);
        }
    }
    // As text, so that the engine need not look up how a name is written.
    req.insert_header("X-Forwarded-For", list)?;
    req.insert_header("X-Forwarded-Proto", proto)?;
    if let Some(original_host) = original_host {
        req.insert_header("X-Forwarded-Host", original_host)?;
    }
    Ok(())
}

/// The client's host; the field it sent is shared when that is in normal form.
fn original_host(headers: &HeaderMap, host: &str) -> pingora::Result<Option<HeaderValue>> {
    match headers.get(header::HOST) {
        _ if host.is_empty() => Ok(None),
        Some(sent) if sent.as_bytes() == host.as_bytes() => Ok(Some(sent.clone())),
        _ => value(host).map(Some),
    }
}

fn value(text: &str) -> pingora::Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| pingora::Error::new(pingora::ErrorType::InvalidHTTPHeader))
}

/// A request's id as it is written: 32 hex digits.
pub fn request_id(id: u128) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).expect("hex digits are legal in a field")
}

/// Takes away the fields that the client's `Connection` names. The engine does so too, but only after the filters: what they and
/// the gateway wrote under such a name would go with it. What frames the message cannot be named.
fn drop_nominated(req: &mut RequestHeader) -> pingora::Result<()> {
    let Some(list) = joined(&req.headers, &header::CONNECTION) else { return Ok(()) };
    let (mut kept, mut named) = (Vec::new(), Vec::new());
    for token in list.split(',').map(str::trim_ascii).filter(|token| !token.is_empty()) {
        match token.to_ascii_lowercase().as_str() {
            // Options of the connection, and names that the engine refuses.
            "close" | "keep-alive" | "upgrade" | "host" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto" => kept.push(token),
            "content-length" | "transfer-encoding" => return Err(pingora::Error::new(pingora::ErrorType::InvalidHTTPHeader)),
            _ => named.push(token),
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    for name in named {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| pingora::Error::new(pingora::ErrorType::InvalidHTTPHeader))?;
        req.remove_header(&name);
    }
    req.remove_header(&header::CONNECTION);
    if !kept.is_empty() {
        req.insert_header(header::CONNECTION, kept.join(", "))?;
    }
    Ok(())
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Points a request at a target: path, host, credentials.
pub fn aim(req: &mut RequestHeader, target: &Target, path_and_query: String, host: &str) -> pingora::Result<()> {
    let uri = http::Uri::try_from(path_and_query).map_err(|_| pingora::Error::new(pingora::ErrorType::InternalError))?;
    req.set_uri(uri);
    if !target.preserve_host || host.is_empty() {
        req.insert_header("Host", target.host_header.clone())?;
    } else {
        req.insert_header("Host", host)?;
    }
    if let Some(authorization) = &target.authorization {
        req.insert_header(header::AUTHORIZATION, authorization.clone())?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;
