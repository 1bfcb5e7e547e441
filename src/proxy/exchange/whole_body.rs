//! Request bodies that a filter wants whole, before an upstream sees a byte.
//!
//! The engine replays a body that was read early only up to 64 KiB; beyond that it sends the header and no body, without an
//! error. A longer one, and one that a filter replaced, therefore goes out in a sub-request whose body is what the chain left. The sub-request takes over the
//! exchange, with everything that was decided, and logs in its stead.

use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use http::{Version, header};
use pingora::http::RequestHeader;
use pingora::proxy::{
    Session,
    subrequest::{
        BodyMode, Ctx,
        pipe::{InputBody, InputBodyType, pipe_subrequest},
    },
};
use tokio::time::{Instant, timeout_at};
use tollgate_filter_api::{Body, Reason};

use super::state::Exchange;
use crate::{
    chain::gateway as reasons,
    proxy::client::{connection::connection_of, paced::allowance},
    telemetry::LimitCounters,
};

/// What says something of a body that is another one now (RFC 9530, RFC 3230, RFC 1864).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// An exchange on its way into a sub-request, with the head as the filters left it: the engine hands on the bytes that the
/// client sent.
struct Handed(Mutex<Option<(Exchange, RequestHeader)>>);

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

/// Sends a request whose body was read as a sub-request, and passes on the answer.
///
/// # Errors
/// The client's connection's.
pub async fn forward(session: &mut Session, exchange: &mut Exchange) -> pingora::Result<()> {
    let body = exchange.body.as_ref().map(|body| body.bytes().clone()).unwrap_or_default();
    let head = http1_head(session, exchange, body.len())?;
    let mut outer = Exchange::new(exchange.id, exchange.time);
    outer.delegated = true;
    outer.connection = exchange.connection.clone();
    let taken = std::mem::replace(exchange, outer);
    let handed = Handed(Mutex::new(Some((taken, head))));
    let ctx = Ctx::builder().user_ctx(Box::new(handed)).body_mode(BodyMode::ExpectBody).build();
    let Some(spawner) = &session.subrequest_spawner else { return Err(pingora::Error::new(pingora::ErrorType::InternalError)) };
    let (prepared, handle) = spawner.create_subrequest(session.as_ref(), ctx);
    let input = InputBodyType::Preset(InputBody::Bytes(vec![body]));
    match pipe_subrequest(session, prepared, handle, |task| Ok(Some(task)), input).await {
        Ok(_) => Ok(()),
        Err(failed) => Err(failed.error),
    }
}

/// The head of the sub-request. The engine writes it as HTTP/1, so that of an HTTP/2 request must be one.
fn http1_head(session: &mut Session, exchange: &Exchange, length: usize) -> pingora::Result<RequestHeader> {
    let req = session.req_header_mut();
    if req.version == Version::HTTP_2 {
        req.set_version(Version::HTTP_11);
        req.insert_header(header::HOST, &*exchange.host)?;
        req.insert_header(header::CONTENT_LENGTH, length)?;
    }
    let mut head = req.clone();
    if exchange.body.as_ref().is_some_and(Body::is_replaced) {
        DIGESTS.iter().for_each(|name| drop(head.remove_header(*name)));
    }
    frame(&mut head, length)?;
    Ok(head)
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

/// In a sub-request: takes over the exchange that was handed in.
pub fn resume(session: &mut Session, exchange: &mut Exchange) -> bool {
    let handed = session.subrequest_ctx.as_mut().and_then(|ctx| ctx.user_ctx_mut()).and_then(|any| any.downcast_mut::<Handed>());
    let Some((taken, head)) = handed.and_then(|handed| handed.0.get_mut().ok()?.take()) else { return false };
    *exchange = taken;
    *session.req_header_mut() = head;
    true
}

#[cfg(test)]
#[path = "tests/whole_body.rs"]
mod tests;
