//! What an upstream may answer, and what of its answer is for the gateway alone.
//!
//! The engine's parser has refused what is no HTTP by now. What is left is what it lets through and a client may read otherwise
//! than the engine did: a coding that nobody knows, a change of protocol that nobody asked for, a length where no body can follow,
//! fields that belong to the connection between upstream and gateway (RFC 9110 §7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora::http::{RequestHeader, ResponseHeader};

use super::{forward, owned::is_same};

/// Fields of one connection. `Connection` itself the engine writes anew.
const HOP_BY_HOP: [HeaderName; 4] =
    [HeaderName::from_static("keep-alive"), HeaderName::from_static("proxy-connection"), header::TE, header::UPGRADE];

/// Judges the head of an answer.
///
/// # Errors
/// Why the answer is none, for the log.
pub fn judge(req: &RequestHeader, resp: &ResponseHeader) -> Result<(), &'static str> {
    let mut codings = resp.headers.get_all(header::TRANSFER_ENCODING).iter();
    let known = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !known || codings.next().is_some() {
        return Err("the upstream's transfer coding is not `chunked` alone");
    }
    if resp.status.as_u16() == 101 && (req.version != Version::HTTP_11 || !req.headers.contains_key(header::UPGRADE)) {
        return Err("the upstream changes the protocol, which nobody asked for");
    }
    Ok(())
}

/// Takes away what is not for the client.
pub fn clean(resp: &mut ResponseHeader) {
    let status = resp.status.as_u16();
    let switches = status == 101;
    if resp.version == Version::HTTP_10 {
        // The version is the sender's own (RFC 9110 §2.5), and the sender is the gateway.
        resp.set_version(Version::HTTP_11);
    }
    if !switches && is_hop_by_hop(&resp.headers) {
        drop_hop_by_hop(resp);
    }
    if status < 200 || status == 204 {
        // No body follows, so there is nothing to frame (RFC 9110 §8.6, RFC 9112 §6.1).
        resp.remove_header(&header::CONTENT_LENGTH);
        resp.remove_header(&header::TRANSFER_ENCODING);
    }
    one_length(resp);
    // Between gateway and upstream only; whoever reads it from an answer could present it.
    while let Some(name) = resp.headers.keys().find(|name| is_same(name.as_str(), forward::ASSERTION.as_str())).cloned() {
        resp.remove_header(&name);
    }
}

fn is_hop_by_hop(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| *name == header::CONNECTION || HOP_BY_HOP.contains(name))
}

fn drop_hop_by_hop(resp: &mut ResponseHeader) {
    let nominated: Vec<HeaderName> = resp.headers.get_all(header::CONNECTION).iter().flat_map(names).collect();
    for name in nominated.iter().chain(&HOP_BY_HOP).filter(|name| !matches!(**name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING)) {
        resp.remove_header(name);
    }
}

/// The fields that a `Connection` names.
fn names(value: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    value.as_bytes().split(|byte| *byte == b',').filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
}

/// The engine takes a length that is repeated for one; so must the client.
fn one_length(resp: &mut ResponseHeader) {
    let mut lengths = resp.headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return };
    let digits = first.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if lengths.next().is_none() && digits.len() == first.len() {
        return;
    }
    if let Ok(length) = HeaderValue::from_bytes(digits) {
        resp.remove_header(&header::CONTENT_LENGTH);
        // A number is a legal value.
        let _ = resp.insert_header(header::CONTENT_LENGTH, length);
    }
}

#[cfg(test)]
#[path = "returned_tests.rs"]
mod tests;
