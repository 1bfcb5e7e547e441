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
//! - Whatever else only a proxy can know is dropped unless a trusted one sent it ([`families`](crate::judge::fields::families)).
//! - `X-JWT-Assertion` of clients is dropped; an upstream's never reaches a client.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::RequestHeader;
use tollgate_filter_api::{Forwarded, IllegalHeader, RequestId};

use crate::{
    judge::fields::{
        forwarding::{FOR, HOST, PROTO, direct, value},
        request_id::{self, Ids},
        reserved::ReservedFields,
    },
    proxy::client::connection::Connection,
    upstreams::Upstream,
};

/// The gateway's word on the caller, for upstreams only.
pub const ASSERTION: HeaderName = HeaderName::from_static("x-jwt-assertion");
/// How many fields the gateway adds at most.
const WRITTEN: usize = 6;

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
    ///
    /// # Errors
    /// Never in practice: the host was judged before.
    pub fn write(self, headers: &mut HeaderMap, host: &str, sent: Option<HeaderValue>) -> Result<(), IllegalHeader> {
        headers.append(header::VIA, self.via);
        let forwarded = self.forwarded;
        let addresses = forwarded.and_then(|forwarded| forwarded.addresses.clone());
        headers.insert(FOR, addresses.unwrap_or_else(|| self.connection.forwarded_for.clone()));
        let scheme = forwarded.and_then(|forwarded| forwarded.scheme.clone());
        let own = if self.connection.secure { "https" } else { "http" };
        headers.insert(PROTO, scheme.unwrap_or(HeaderValue::from_static(own)));
        let original = match (forwarded.and_then(|forwarded| forwarded.host.clone()), sent) {
            (Some(host), _) => host,
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
    pub upstream: &'a Upstream,
    /// Its request target.
    pub path_and_query: String,
    /// The client's host, in normal form.
    pub host: &'a str,
    /// What the request is called, and where that is written.
    pub ids: (&'a Ids, RequestId),
    /// What must not go there, when the client sent some of it.
    pub reserved: Option<&'a ReservedFields>,
}

/// Points a request at an upstream: path, host, credentials; says where it comes from, names it, and takes away what filters own.
///
/// # Errors
/// Never in practice: path and host were judged before.
pub fn aim(req: &mut RequestHeader, to: Heading<'_>) -> Result<(), IllegalHeader> {
    direct(req, |parts| {
        parts.uri = http::Uri::try_from(to.path_and_query).map_err(|_| IllegalHeader)?;
        if let Some(reserved) = to.reserved {
            reserved.strip(&mut parts.headers);
        }
        parts.headers.reserve(WRITTEN);
        let kept = to.upstream.preserve_host && !to.host.is_empty();
        let host = if kept { value(to.host)? } else { to.upstream.host_header.clone() };
        let sent = parts.headers.insert(header::HOST, host);
        to.way.write(&mut parts.headers, to.host, sent)?;
        let (ids, id) = to.ids;
        if ids.upstream {
            parts.headers.insert(ids.field.clone(), request_id::value(id));
        } else {
            parts.headers.remove(&ids.field);
        }
        if let Some(authorization) = &to.upstream.authorization {
            parts.headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/forwarding.rs"]
mod tests;
