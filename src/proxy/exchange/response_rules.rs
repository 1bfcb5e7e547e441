//! What an upstream may answer, and what of its answer is for the gateway alone.
//!
//! The engine's parser has refused what is no HTTP by now. What is left is what it lets through and a client may read otherwise
//! than the engine did: a coding that nobody knows, a change of protocol that nobody asked for, a length where no body can follow,
//! fields that belong to the connection between upstream and gateway (RFC 9110 §7.6.1).

use http::{HeaderName, HeaderValue, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::forward;
use crate::fields::is_same;

/// Fields of one connection. `Connection` itself the engine writes anew.
const HOP_BY_HOP: [HeaderName; 4] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection"), header::TE, header::UPGRADE];

/// What a pass over the fields of an answer has met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// A coding, and one that is not `chunked` alone.
    coding: bool,
    odd_coding: bool,
    /// A length, and one that is told twice.
    length: bool,
    odd_length: bool,
    /// A `Connection`.
    connection: bool,
    /// Another field of the connection.
    hop_by_hop: bool,
    /// A spelling of the gateway's word on the caller.
    assertion: bool,
}

impl Found {
    /// Looks at every field once: most answers need nothing more.
    pub fn of(resp: &ResponseHeader) -> Self {
        let mut found = Self::default();
        for (name, value) in &resp.headers {
            match name.as_str() {
                "transfer-encoding" => {
                    let chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
                    found.odd_coding |= std::mem::replace(&mut found.coding, true) || !chunked;
                }
                "content-length" => {
                    let number = value.as_bytes().iter().all(u8::is_ascii_digit);
                    found.odd_length |= std::mem::replace(&mut found.length, true) || !number;
                }
                "connection" => found.connection = true,
                "keep-alive" | "proxy-connection" | "te" | "upgrade" => found.hop_by_hop = true,
                name => found.assertion |= is_same(name, forward::ASSERTION.as_str()),
            }
        }
        found
    }
}

/// Judges the head of an answer.
///
/// # Errors
/// Why the answer is none, for the log.
pub fn judge(req: &RequestHeader, resp: &ResponseHeader, found: Found) -> Result<(), &'static str> {
    if found.odd_coding {
        return Err("the upstream's transfer coding is not `chunked` alone");
    }
    if resp.status.as_u16() == 101 && (req.version != Version::HTTP_11 || !req.headers.contains_key(header::UPGRADE)) {
        return Err("the upstream changes the protocol, which nobody asked for");
    }
    Ok(())
}

/// Takes away what is not for the client.
pub fn clean(resp: &mut ResponseHeader, found: Found) {
    let status = resp.status.as_u16();
    if resp.version == Version::HTTP_10 {
        // The version is the sender's own (RFC 9110 §2.5), and the sender is the gateway.
        resp.set_version(Version::HTTP_11);
    }
    if status != 101 {
        drop_hop_by_hop(resp, found);
    }
    if (status < 200 || status == 204) && (found.length || found.coding) {
        // No body follows, so there is nothing to frame (RFC 9110 §8.6, RFC 9112 §6.1).
        resp.remove_header(&header::CONTENT_LENGTH);
        resp.remove_header(&header::TRANSFER_ENCODING);
    } else if found.odd_length {
        one_length(resp);
    }
    if found.assertion {
        // Between gateway and upstream only; whoever reads it from an answer could present it.
        while let Some(name) = resp.headers.keys().find(|name| is_same(name.as_str(), forward::ASSERTION.as_str())).cloned() {
            resp.remove_header(&name);
        }
    }
}

fn drop_hop_by_hop(resp: &mut ResponseHeader, found: Found) {
    if found.connection {
        let nominated: Vec<HeaderName> = resp.headers.get_all(header::CONNECTION).iter().flat_map(nominated).collect();
        nominated.iter().for_each(|name| drop(resp.remove_header(name)));
    }
    if found.hop_by_hop {
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
