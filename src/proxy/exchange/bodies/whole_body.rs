//! Request bodies that a filter wants whole, before an upstream sees a byte.
//!
//! The engine replays a body that was read early only up to 64 KiB; beyond that it sends the header and no body, without an
//! error. A longer one, and one that a filter replaced, therefore goes out in a [sub-request](super::subrequest) whose body is what the
//! chain left.

use bytes::{Bytes, BytesMut};
use http::header;
use pingora::{Error, http::RequestHeader, proxy::Session};
use tokio::time::{Instant, timeout_at};
use tollgate_filter_api::{Answer, Body, Cause, CauseKind, Rule, Shown};

use crate::{
    chain::gateway as reasons,
    fields::DIGESTS,
    judge::admit,
    proxy::client::{connection::connection_of, paced::allowance},
    telemetry::LimitCounters,
};

/// Most bytes of a body, and who says so.
#[derive(Clone, Copy)]
pub struct Most {
    /// So many.
    pub bytes: usize,
    /// The filter that reads it, and not `limits.body_bytes`.
    pub of_filter: bool,
}

/// Reads a body to its end. It must keep the pace, in bytes a second, on HTTP/2 too, whose streams have no deadline of their own.
///
/// # Errors
/// Its refusal: too long, too slow, or broken off.
pub async fn read(session: &mut Session, most: Most, pace: u64, counters: &LimitCounters) -> Result<Bytes, Answer> {
    session.as_mut().enable_retry_buffering();
    if session.req_header().headers.contains_key(header::EXPECT) {
        // Nobody else answers the expectation: client and gateway would wait for each other.
        session.as_mut().write_continue_response().await.map_err(|error| unreadable(error.to_string()))?;
    }
    let mut body = BytesMut::new();
    let begun = Instant::now();
    loop {
        let read = session.as_mut().read_request_body();
        let read = match allowance(body.len() as u64, pace) {
            Some(time) => timeout_at(begun + time, read).await.map_err(|_| {
                counters.body_pace.inc();
                too_slow(pace)
            })?,
            None => read.await,
        };
        let Some(chunk) = read.map_err(|error| broken(session, &error))? else { return Ok(body.freeze()) };
        if body.len() + chunk.len() > most.bytes {
            let rule = if most.of_filter { Rule::Fixed("the filter that reads it accepts no more") } else { BODY_BYTES };
            return Err(too_long(rule, most.bytes));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Why a body could not be read.
fn broken(session: &Session, error: &Error) -> Answer {
    let malformed = connection_of(session.digest()).and_then(|connection| connection.framing().malformed());
    malformed.map_or_else(|| unreadable(error.to_string()), |malformed| admit::misframed(malformed.why()))
}

/// The setting that bounds a body.
pub const BODY_BYTES: Rule = Rule::Gateway("/limits/body_bytes");

/// A body that is longer than that.
pub fn too_long(rule: Rule, bytes: usize) -> Answer {
    reasons::BODY_BYTES.because(Cause::new(CauseKind::OverLimit, "body", rule).wanted(Shown::Bytes(bytes as u64)))
}

/// A body that does not keep its pace, in bytes a second.
pub fn too_slow(pace: u64) -> Answer {
    let cause = Cause::new(CauseKind::OverLimit, "time of the body", Rule::Gateway("/limits/body_pace"));
    reasons::BODY_READ.because(cause.detail("bytes in a second").wanted(Shown::Bytes(pace)))
}

/// A body that did not come whole.
pub fn unreadable(error: String) -> Answer {
    reasons::BODY_READ.because(Cause::new(CauseKind::Malformed, "body", Rule::Fixed("RFC 9112 §8")).detail(error))
}

/// Whether the engine would send another body than this one: it keeps only the beginning of what the client sent.
pub fn is_lost(session: &Session, body: &Body) -> bool {
    body.is_replaced() || session.as_ref().retry_buffer_truncated()
}

/// Takes out what says something of a body that is another one now. It is not compressed: who replaces a body writes it plain.
pub fn replaced(req: &mut RequestHeader) {
    drop_digests(req);
    req.remove_header(&header::CONTENT_ENCODING);
}

/// Takes out digests of a body that is another one now.
fn drop_digests(req: &mut RequestHeader) {
    DIGESTS.iter().for_each(|name| drop(req.remove_header(*name)));
}

/// The length is not known any more: a filter changes the pieces.
///
/// # Errors
/// Never in practice: the field is legal.
pub fn unframe(req: &mut RequestHeader) -> pingora::Result<()> {
    drop_digests(req);
    req.remove_header(&header::CONTENT_LENGTH);
    req.insert_header(header::TRANSFER_ENCODING, "chunked")
}

/// The length is known now, and the expectation was met here.
///
/// # Errors
/// Never in practice: the field is legal.
pub fn frame(req: &mut RequestHeader, length: usize) -> pingora::Result<()> {
    req.remove_header(&header::TRANSFER_ENCODING);
    req.remove_header(&header::EXPECT);
    req.insert_header(header::CONTENT_LENGTH, length)
}

#[cfg(test)]
#[path = "tests/whole_body.rs"]
mod tests;
