//! What nobody should forward: refused before anything else looks at a request.
//!
//! The engine's parser has refused malformed messages by now (RFC 9112). What is left is what it accepts and an upstream may
//! read otherwise: a length together with a coding, a listed length, a second spelling of a field the gateway owns.

use http::{HeaderMap, Uri, Version, header};
use pingora::http::RequestHeader;
use tollgate_filter_api::Reason;

use crate::{
    chain::gateway as reasons,
    config::Limits,
    routes::{host, normal},
    telemetry::LimitCounters,
};

/// Fields the gateway writes, or believes only of trusted proxies; another spelling of them must not arrive beside them.
const OWNED: [&str; 8] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-request-id",
    "x-real-ip",
    "forwarded",
    "x-jwt-assertion",
];

/// Judges a head. The host in normal form comes back.
///
/// # Errors
/// The reason for which it is refused.
pub fn admit(req: &RequestHeader, limits: &Limits, counters: &LimitCounters) -> Result<String, &'static Reason> {
    size(req, limits, counters)?;
    framing(req)?;
    fields(&req.headers)?;
    host_of(req)
}

/// Takes a target in absolute form apart (RFC 9112 §3.2.2): the engine reads every HTTP/1 target as a path.
///
/// # Errors
/// When it is neither a path nor an absolute URI of HTTP.
pub fn absolute(req: &mut RequestHeader) -> Result<(), &'static Reason> {
    if req.uri.authority().is_some() || req.raw_path().first() == Some(&b'/') {
        return Ok(());
    }
    let uri = Uri::try_from(req.raw_path()).map_err(|_| &normal::FORM)?;
    if uri.authority().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(&normal::FORM);
    }
    req.set_uri(uri);
    Ok(())
}

/// Whether a refusal leaves the connection in doubt, so that it must be closed.
pub fn closes(reason: &Reason) -> bool {
    matches!(reason.status, 400 | 413 | 414 | 417 | 431)
}

fn size(req: &RequestHeader, limits: &Limits, counters: &LimitCounters) -> Result<(), &'static Reason> {
    if req.raw_path().len() as u64 > limits.target_bytes.0 {
        counters.target_bytes.inc();
        return Err(&reasons::TARGET_BYTES);
    }
    let mut fields = 0;
    let mut bytes = req.raw_path().len();
    for (name, value) in &req.headers {
        // Name, colon, space, value, line end: what it takes on HTTP/1.
        bytes += name.as_str().len() + value.len() + 4;
        fields += if name == header::COOKIE { 1 + memchr_count(value.as_bytes(), b';') } else { 1 };
    }
    if fields > limits.header_fields {
        counters.header_fields.inc();
        return Err(&reasons::HEADER_FIELDS);
    }
    if bytes as u64 > limits.header_bytes.0 {
        counters.header_bytes.inc();
        return Err(&reasons::HEADER_BYTES);
    }
    Ok(())
}

fn memchr_count(bytes: &[u8], wanted: u8) -> usize {
    bytes.iter().filter(|byte| **byte == wanted).count()
}

/// RFC 9112 §6: one way to tell where a message ends.
fn framing(req: &RequestHeader) -> Result<(), &'static Reason> {
    let mut lengths = req.headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() || length.is_some_and(|value| value.is_empty() || !value.as_bytes().iter().all(u8::is_ascii_digit)) {
        return Err(&reasons::FRAMING);
    }
    let mut codings = req.headers.get_all(header::TRANSFER_ENCODING).iter();
    let coding = codings.next();
    let chunked = coding.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if codings.next().is_some() || !chunked || (coding.is_some() && length.is_some()) {
        return Err(&reasons::FRAMING);
    }
    if coding.is_some() && req.version != Version::HTTP_11 {
        return Err(&reasons::FRAMING);
    }
    Ok(())
}

/// Whether a raw header block has a line that ends without CR. RFC 9112 §2.2 lets a reader take it for a line end, so some do and
/// others do not.
pub fn has_bare_line_end(raw: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', raw).any(|at| at == 0 || raw[at - 1] != b'\r')
}

/// Whether a raw header block has a `Content-Length`. The engine takes that field away when there is a coding too, so a parsed
/// header no longer tells.
pub fn names_length(raw: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    raw.split(|byte| *byte == b'\n').any(|line| line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)))
}

fn fields(headers: &HeaderMap) -> Result<(), &'static Reason> {
    for (name, value) in headers {
        let name = name.as_str();
        if name.contains('_') && OWNED.iter().any(|owned| same_but_for_underscores(owned, name)) {
            return Err(&reasons::FIELD);
        }
        // Without an early end, so that many bytes are judged at once.
        if value.as_bytes().iter().fold(false, |bad, byte| bad | (*byte < 0x20 && *byte != b'\t') | (*byte == 0x7f)) {
            return Err(&reasons::FIELD);
        }
    }
    let mut expectations = headers.get_all(header::EXPECT).iter();
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(()),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        _ => Err(&reasons::EXPECT),
    }
}

fn same_but_for_underscores(owned: &str, name: &str) -> bool {
    owned.len() == name.len() && owned.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_'))
}

/// RFC 9112 §3.2, RFC 9113 §8.3.1: exactly one host, and the authority of the target agrees with it.
fn host_of(req: &RequestHeader) -> Result<String, &'static Reason> {
    let mut hosts = req.headers.get_all(header::HOST).iter();
    let field = hosts.next().map(|value| host::normalize(value.as_bytes())).transpose()?;
    if hosts.next().is_some() {
        return Err(&host::HOST);
    }
    let authority = req.uri.authority().map(|authority| host::normalize(authority.as_str().as_bytes())).transpose()?;
    match (field, authority) {
        (Some(field), Some(authority)) if field != authority => Err(&host::HOST),
        (Some(host), _) | (None, Some(host)) => Ok(written(&host)),
        (None, None) if req.version == Version::HTTP_10 => Ok(String::new()),
        (None, None) => Err(&host::HOST),
    }
}

fn written(host: &host::Host<'_>) -> String {
    match host.port {
        Some(port) => format!("{}:{port}", host.name),
        None => host.name.clone().into_owned(),
    }
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
