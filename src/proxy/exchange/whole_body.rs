//! Request bodies that a filter wants whole, before an upstream sees a byte.
//!
//! The engine replays a body that was read early only up to 64 KiB; beyond that it sends the header and no body, without an
//! error. A longer one, and one that a filter replaced, therefore goes out in a [sub-request](super::subrequest) whose body is what the
//! chain left.

use bytes::{Bytes, BytesMut};
use http::header;
use pingora::{http::RequestHeader, proxy::Session};
use tokio::time::{Instant, timeout_at};
use tollgate_filter_api::Reason;

use super::state::Exchange;
use crate::{
    chain::gateway as reasons,
    fields::DIGESTS,
    proxy::client::{connection::connection_of, paced::allowance},
    telemetry::LimitCounters,
};

/// Reads a body to its end. It must keep the pace, in bytes a second, on HTTP/2 too, whose streams have no deadline of their own.
///
/// # Errors
/// The reason to refuse it: too long, or broken off.
pub async fn read(session: &mut Session, limit: usize, pace: u64, counters: &LimitCounters) -> Result<Bytes, &'static Reason> {
    session.as_mut().enable_retry_buffering();
    if session.req_header().headers.contains_key(header::EXPECT) {
        // Nobody else answers the expectation: client and gateway would wait for each other.
        session.as_mut().write_continue_response().await.map_err(|_| &reasons::BODY_READ)?;
    }
    let mut body = BytesMut::new();
    let begun = Instant::now();
    loop {
        let read = session.as_mut().read_request_body();
        let read = match allowance(body.len() as u64, pace) {
            Some(time) => timeout_at(begun + time, read).await.map_err(|_| {
                counters.body_pace.inc();
                &reasons::BODY_READ
            })?,
            None => read.await,
        };
        let Some(chunk) = read.map_err(|_| broken(session))? else { return Ok(body.freeze()) };
        if body.len() + chunk.len() > limit {
            return Err(&reasons::BODY_BYTES);
        }
        body.extend_from_slice(&chunk);
    }
}

/// Why a body could not be read.
fn broken(session: &Session) -> &'static Reason {
    let malformed = connection_of(session.digest()).and_then(|connection| connection.framing().malformed());
    malformed.map_or(&reasons::BODY_READ, |_| &reasons::FRAMING)
}

/// Whether the engine would send another body than the one that the exchange has: it keeps only the beginning of what the client sent.
pub fn is_lost(session: &Session, exchange: &Exchange) -> bool {
    exchange.body.as_ref().is_some_and(|body| body.is_replaced() || session.as_ref().retry_buffer_truncated())
}

/// Takes out what says something of a body that is another one now.
pub fn drop_digests(req: &mut RequestHeader) {
    DIGESTS.iter().for_each(|name| drop(req.remove_header(*name)));
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
