//! Which answers of an upstream are passed on, and which of their fields are not for the client.
//!
//! The engine's parser has refused what is not HTTP. These rules are about what it accepts and a client may read in another way: an
//! unknown coding, a change of protocol that nobody asked for, a length where no body can follow, and fields of the connection between
//! upstream and gateway (RFC 9110 §7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::forward;
use crate::fields::is_same;

/// Fields of one connection. `Connection` itself the engine writes anew.
const HOP_BY_HOP: [HeaderName; 4] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection"), header::TE, header::UPGRADE];

/// Which fields an answer has that need more work.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerFields {
    /// A `Transfer-Encoding`, and one that is not `chunked` alone.
    coding: bool,
    odd_coding: bool,
    /// A `Content-Length`, and one that is repeated.
    length: bool,
    odd_length: bool,
    /// A `Connection`.
    connection: bool,
    /// Another field of the connection.
    hop_by_hop: bool,
    /// The gateway's assertion about the caller, in any spelling.
    assertion: bool,
}

impl AnswerFields {
    /// Looks at each field once. Most answers need no more than that.
    pub fn of(resp: &ResponseHeader) -> Self {
        let mut fields = Self::default();
        for (name, value) in &resp.headers {
            match name.as_str() {
                "transfer-encoding" => {
                    let chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                    fields.odd_coding |= std::mem::replace(&mut fields.coding, true) || !chunked;
                }
                "content-length" => {
                    let number = value.as_bytes().iter().all(u8::is_ascii_digit);
                    fields.odd_length |= std::mem::replace(&mut fields.length, true) || !number;
                }
                "connection" => fields.connection = true,
                "keep-alive" | "proxy-connection" | "te" | "upgrade" => fields.hop_by_hop = true,
                name => fields.assertion |= is_same(name, forward::ASSERTION.as_str()),
            }
        }
        fields
    }
}

/// Judges the head of an answer.
///
/// # Errors
/// Why the answer cannot be passed on, for the log.
pub fn judge(req: &RequestHeader, resp: &ResponseHeader, fields: AnswerFields) -> Result<(), &'static str> {
    if fields.odd_coding {
        return Err("the upstream's transfer coding is not `chunked` alone");
    }
    if resp.status.as_u16() == 101 && (req.version != Version::HTTP_11 || !req.headers.contains_key(header::UPGRADE)) {
        return Err("the upstream changes the protocol, which nobody asked for");
    }
    Ok(())
}

/// Removes what is not for the client.
pub fn clean(resp: &mut ResponseHeader, fields: AnswerFields) {
    let status = resp.status.as_u16();
    if resp.version == Version::HTTP_10 {
        // The version is the sender's own (RFC 9110 §2.5), and the sender is the gateway.
        resp.set_version(Version::HTTP_11);
    }
    if status != 101 {
        drop_hop_by_hop(resp, fields);
    }
    if (status < 200 || status == 204) && (fields.length || fields.coding) {
        // No body follows, so there is nothing to frame (RFC 9110 §8.6, RFC 9112 §6.1).
        resp.remove_header(&header::CONTENT_LENGTH);
        resp.remove_header(&header::TRANSFER_ENCODING);
    } else if fields.odd_length {
        one_length(resp);
    }
    if fields.assertion {
        while let Some(name) = assertion(&resp.headers) {
            resp.remove_header(&name);
        }
    }
}

/// Removes from trailers what is not for the client.
pub fn clean_trailers(trailers: &mut HeaderMap) {
    while let Some(name) = assertion(trailers) {
        trailers.remove(&name);
    }
}

/// The gateway's assertion about the caller, in any spelling. It is between gateway and upstream only: whoever reads it from an answer
/// could present it.
fn assertion(fields: &HeaderMap) -> Option<HeaderName> {
    fields.keys().find(|name| is_same(name.as_str(), forward::ASSERTION.as_str())).cloned()
}

fn drop_hop_by_hop(resp: &mut ResponseHeader, fields: AnswerFields) {
    if fields.connection {
        let nominated: Vec<HeaderName> = resp.headers.get_all(header::CONNECTION).iter().flat_map(nominated).collect();
        nominated.iter().for_each(|name| drop(resp.remove_header(name)));
    }
    if fields.hop_by_hop {
        HOP_BY_HOP.iter().for_each(|name| drop(resp.remove_header(name)));
    }
}

/// The fields that a `Connection` names, but for those that are dropped anyway or frame the message.
fn nominated(value: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    const NOT: [&[u8]; 4] = [b"keep-alive", b"close", b"content-length", b"transfer-encoding"];
    let tokens = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let tokens = tokens.filter(|token| !NOT.iter().any(|not| token.eq_ignore_ascii_case(not)));
    tokens.filter_map(|token| HeaderName::from_bytes(token).ok())
}

/// The engine takes a length that is repeated for one; so must the client.
fn one_length(resp: &mut ResponseHeader) {
    let first = resp.headers.get(header::CONTENT_LENGTH).map_or(&b""[..], HeaderValue::as_bytes);
    let digits = first.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if let Ok(length) = HeaderValue::from_bytes(digits) {
        resp.remove_header(&header::CONTENT_LENGTH);
        // A number is a legal value.
        let _ = resp.insert_header(header::CONTENT_LENGTH, length);
    }
}

#[cfg(test)]
#[path = "tests/response_rules.rs"]
mod tests;
