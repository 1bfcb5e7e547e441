//! A whole answer before the filters that read it, and on its way to the client.

use bytes::Bytes;
use http::{StatusCode, Version, header};
use pingora::{http::ResponseHeader, proxy::Session};
use tollgate_filter_api::{AnswerHead, Body, ResponseHead};

use super::{
    super::{
        answer,
        state::{Ended, Exchange, Going},
    },
    rewritten, whole_answer,
};
use crate::{
    chain,
    judge::{fields::request_id, internal},
    proxy::running::gateway::Gateway,
};

/// Most bytes that are written at once: the time for a write is that of a standstill, not of a whole answer.
const PIECE: usize = 64 << 10;

/// Has a held answer judged, and answers the client. Without one, says why.
///
/// # Errors
/// The client's connection's, and a filter's that could not decide about the head or the body on its way out.
pub async fn deliver(gateway: &Gateway, session: &mut Session, exchange: &mut Exchange) -> pingora::Result<()> {
    if gateway.is_draining() {
        session.set_keepalive(None);
    }
    let Some(mut held) = exchange.outbound_mut().and_then(|outbound| outbound.held.take()) else {
        session.set_keepalive(None);
        let answer = exchange.ending.ended.as_ref().map_or_else(|| internal("nobody says why there is no answer"), Ended::answer);
        return answer::write(session, exchange, answer).await;
    };
    let Going { chain, run, call, .. } = exchange.going()?;
    let mut body = Body::from(std::mem::take(&mut held.body).freeze());
    let ended = match run.answer(chain, AnswerHead::wrap_mut(&mut held.head), &mut body, call).await {
        Ok(ended) => ended,
        Err(fault) => {
            exchange.arrival.iter().for_each(|arrival| arrival.log_fault(&fault, gateway.kernel.env.clock.instant()));
            Some(chain::render_fault(&fault))
        }
    };
    match ended {
        Some(answer) => answer::write(session, exchange, answer).await,
        None => {
            frame(&mut held.head, &body)?;
            write(session, exchange, &mut held.head, body.bytes().clone()).await
        }
    }
}

/// The head says how long the body is, and nothing of another body.
fn frame(head: &mut ResponseHeader, body: &Body) -> pingora::Result<()> {
    head.set_version(Version::HTTP_11);
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::TRAILER, header::CONTENT_LENGTH] {
        head.remove_header(&name);
    }
    if body.is_replaced() {
        whole_answer::drop_digests(head);
        head.remove_header(&header::CONTENT_ENCODING);
    }
    if has_no_body(head.status) { Ok(()) } else { head.insert_header(header::CONTENT_LENGTH, body.len()) }
}

/// RFC 9110 §15.3.5, §15.3.6, §15.4.5. A 205 is told by its length.
fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Head and body go the way of every answer: past `on_response`, then past `on_chunk`.
async fn write(session: &mut Session, exchange: &mut Exchange, head: &mut ResponseHeader, body: Bytes) -> pingora::Result<()> {
    let Going { id, version, connection, snapshot, chain, run, call, outbound, ending, .. } = exchange.going()?;
    ending.status = head.status.as_u16();
    if chain.rewrites_answers() && run.rewrites(chain, head.status, &head.headers) {
        rewritten::unframe(head);
    }
    run.response(chain, ResponseHead::wrap_mut(head), true, call).map_err(|fault| ending.faulted(&fault))?;
    if let Some(cookie) = outbound.selection.cookie(connection.secure) {
        head.append_header(header::SET_COOKIE, cookie)?;
    }
    if snapshot.judge.ids.all_answers {
        head.insert_header(snapshot.judge.ids.field.clone(), request_id::value(id))?;
    }
    let mut left = if has_no_body(head.status) || head.status == StatusCode::RESET_CONTENT { Bytes::new() } else { body };
    if head.status == StatusCode::RESET_CONTENT {
        head.insert_header(header::CONTENT_LENGTH, 0)?;
    }
    let framed = head.headers.contains_key(header::CONTENT_LENGTH) || has_no_body(head.status);
    match version {
        Version::HTTP_11 if !framed => head.insert_header(header::TRANSFER_ENCODING, "chunked")?,
        Version::HTTP_10 if !framed => session.set_keepalive(None),
        _ => {}
    }
    session.write_response_header(Box::new(head.clone()), left.is_empty()).await?;
    while !left.is_empty() {
        let mut piece = Some(left.split_to(left.len().min(PIECE)));
        let end = left.is_empty();
        run.chunk(chain, &mut piece, end).map_err(|fault| ending.faulted(&fault))?;
        let piece = piece.filter(|piece| !piece.is_empty());
        if piece.is_some() || end {
            session.write_response_body(piece, end).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests/whole_answer/mod.rs"]
mod tests;
