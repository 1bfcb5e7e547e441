//! What goes upstream beside the client's own fields: one place for path, host, forwarding fields and credentials.
//!
//! - The path is the endpoint's, then what follows the base path, in normal form; the query as sent.
//! - `Host` is the endpoint's, unless `preserve_host` keeps the client's.
//! - Hop-by-hop fields and what `Connection` names are gone by now (RFC 9110 §7.6.1); the engine refuses a `Connection` that
//!   names a field of the gateway's own.
//! - `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239) are written anew. What a client sent is dropped; what a
//!   trusted proxy sent is continued: the address list is appended to, proto and host are kept.
//! - `X-Request-Id` is the gateway's own.
//! - `X-Real-IP` and `X-JWT-Assertion` of clients are dropped.

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
const ASSERTION: HeaderName = HeaderName::from_static("x-jwt-assertion");
/// The request's id, towards upstreams and clients.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
            client = address;
            if !proxies.contains(address) {
                return client;
            }
        }
    }
    client
}

/// What `X-Forwarded-*` and `Forwarded` of the client are replaced by, before the first filter runs.
pub fn rewrite(req: &mut RequestHeader, connection: &Connection, proxies: &TrustedProxies, host: &str) -> pingora::Result<()> {
    let trusted = is_trusted(connection, proxies);
    let address = connection.address.to_string();
    let list = match trusted.then(|| joined(&req.headers, &FOR)).flatten() {
        Some(before) => format!("{before}, {address}"),
        None => address,
    };
    let kept = |name: &HeaderName| trusted.then(|| req.headers.get(name).cloned()).flatten();
    let proto = kept(&PROTO).unwrap_or(HeaderValue::from_static(if connection.secure { "https" } else { "http" }));
    let original_host = kept(&HOST).or_else(|| HeaderValue::from_str(host).ok().filter(|host| !host.is_empty()));
    for name in [&PORT, &REAL_IP, &ASSERTION, &header::FORWARDED, &HOST] {
        req.remove_header(name);
    }
    req.insert_header(FOR, list)?;
    req.insert_header(PROTO, proto)?;
    if let Some(original_host) = original_host {
        req.insert_header(HOST, original_host)?;
    }
    Ok(())
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Points a request at a target: path, host, credentials.
pub fn aim(req: &mut RequestHeader, target: &Target, path_and_query: &str, host: &str) -> pingora::Result<()> {
    let uri = path_and_query.parse::<http::Uri>().map_err(|_| pingora::Error::new(pingora::ErrorType::InternalError))?;
    req.set_uri(uri);
    if !target.preserve_host || host.is_empty() {
        req.insert_header(header::HOST, target.host_header.clone())?;
    } else {
        req.insert_header(header::HOST, host)?;
    }
    if let Some(authorization) = &target.authorization {
        req.insert_header(header::AUTHORIZATION, authorization.clone())?;
    }
    Ok(())
}
