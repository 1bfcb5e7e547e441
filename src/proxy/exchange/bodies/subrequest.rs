//! Requests that go out as the engine's sub-requests: those whose body is another one than the engine has, and those whose answer must be
//! whole before the client gets any of it.
//!
//! The engine calls this interface alpha, so nobody else here names it. The sub-request takes over the exchange, with everything that was
//! decided. Normally it passes on the answer and logs it. When it holds the answer instead, or has failed before there was one, nothing
//! goes to the client, and the exchange comes back with what is held or with the reason.
//!
//! A client that leaves while it sends nothing is noticed when something is written to it, not before.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use http::{Version, header};
use pingora::{
    Error, ErrorType,
    http::RequestHeader,
    protocols::http::HttpTask,
    proxy::{
        Session,
        subrequest::{
            BodyMode, Ctx,
            pipe::{InputBody, InputBodyType, PipeSubrequestError, pipe_subrequest},
        },
    },
};
use tokio::sync::oneshot;
use tollgate_filter_api::Body;

use super::{
    super::state::{Arrival, Exchange, Going},
    judged, whole_answer, whole_body,
};
use crate::proxy::running::gateway::Gateway;

/// An exchange on its way into a sub-request, with the head as the filters left it: the engine hands on the bytes that the
/// client sent.
struct Handed(Mutex<Option<(Box<Exchange>, RequestHeader)>>);

/// The way back from a sub-request.
pub struct Back {
    holds: Arc<AtomicBool>,
    /// The answer may be held.
    pub may_hold: bool,
    exchange: oneshot::Sender<Box<Exchange>>,
}

impl Back {
    /// Whether nothing of the answer that follows goes to the client, because whoever waits for the sub-request answers. Said anew for
    /// each attempt.
    pub fn hold(&self, holds: bool) {
        self.holds.store(holds, Relaxed);
    }
}

/// Who answers the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    /// The sub-request has.
    Passed,
    /// Nobody yet: the exchange is back, with an answer that is held or why there is none.
    Not,
}

/// Sends a request as a sub-request when the engine could not forward it: its body is not the engine's, or its answer may have to be held.
/// `true` when it was, and is answered.
///
/// # Errors
/// The client's connection's, and the upstream's when nothing was answered.
pub async fn go_out(gateway: &Gateway, session: &mut Session, exchange: &mut Box<Exchange>) -> pingora::Result<bool> {
    let Going { run, chain, outbound, body, .. } = exchange.going()?;
    outbound.reads_answers = run.reads_answers(chain);
    let may_hold = outbound.reads_answers && whole_answer::can_be_held(session.req_header());
    if !may_hold && !body.is_some_and(|body| whole_body::is_lost(session, body)) {
        return Ok(false);
    }
    if gateway.is_draining() || exchange.version == Version::HTTP_10 {
        // What the sub-request finds out about the connection does not come to the client's.
        session.set_keepalive(None);
    }
    // Boxed: what it holds is large, and every request would carry it.
    Box::pin(async {
        if forward(session, exchange, may_hold).await? == Answered::Not {
            judged::deliver(gateway, session, exchange).await?;
        }
        Ok(true)
    })
    .await
}

/// Sends a request as a sub-request, with the body that was read or else the one that the client still sends.
async fn forward(session: &mut Session, exchange: &mut Box<Exchange>, may_hold: bool) -> pingora::Result<Answered> {
    let holds = Arc::new(AtomicBool::new(false));
    let (sender, mut back) = oneshot::channel();
    let Going { id, connection, snapshot, routing, outbound, body, .. } = exchange.going()?;
    outbound.back = Some(Back { holds: holds.clone(), may_hold, exchange: sender });
    let head = http1_head(session, &routing.host, body)?;
    let arrival = Arrival::new(id, connection.clone(), snapshot.clone());
    let body = body.map(|body| body.bytes().clone());
    let mut outer = Box::new(Exchange::new(id, exchange.time));
    (outer.delegated, outer.grpc, outer.arrival) = (true, exchange.grpc, Some(arrival));
    let handed = Handed(Mutex::new(Some((std::mem::replace(exchange, outer), head))));
    let ctx = Ctx::builder().user_ctx(Box::new(handed)).body_mode(BodyMode::ExpectBody).build();
    let Some(spawner) = &session.subrequest_spawner else { return Err(Error::new(ErrorType::InternalError)) };
    let (prepared, handle) = spawner.create_subrequest(session.as_ref(), ctx);
    let input = body.map_or(InputBodyType::SaveBody(0), |body| InputBodyType::Preset(InputBody::Bytes(vec![body])));
    match pipe_subrequest(session, prepared, handle, |task| Ok(passed(&holds, task)), input).await {
        Ok(_) => {}
        Err(failed) if failed.from_subreq => {
            session.set_keepalive(None);
            let error = rest(session, failed, &holds).await?;
            if let Some(error) = error.filter(|_| !holds.load(Relaxed)) {
                return Err(error);
            }
        }
        Err(failed) => {
            back.close();
            if let Ok(taken) = back.try_recv() {
                *exchange = taken;
                exchange.outbound_mut().into_iter().for_each(|outbound| outbound.held = None);
            }
            return Err(failed.error);
        }
    }
    if !holds.load(Relaxed) {
        return Ok(Answered::Passed);
    }
    *exchange = back.await.map_err(|_| Error::explain(ErrorType::InternalError, "the exchange did not come back"))?;
    Ok(Answered::Not)
}

/// What goes to the client at once: everything, unless the answer is held, and then interim answers.
fn passed(holds: &AtomicBool, task: HttpTask) -> Option<HttpTask> {
    let interim = matches!(&task, HttpTask::Header(head, _) if head.status.is_informational());
    (interim || !holds.load(Relaxed)).then_some(task)
}

/// The sub-request has failed: passes on what it had said before. The error comes back when that is no whole answer.
async fn rest(session: &mut Session, failed: PipeSubrequestError, holds: &AtomicBool) -> pingora::Result<Option<Box<Error>>> {
    let mut whole = false;
    let mut tasks = failed.state.pipe_rx;
    while let Some(task) = async { tasks.as_mut()?.recv().await }.await {
        if let Some(task) = passed(holds, task) {
            whole |= session.write_response_tasks(vec![task]).await?;
        }
    }
    Ok((!whole).then_some(failed.error))
}

/// The head of the sub-request. The engine writes it as HTTP/1, so that of an HTTP/2 request must be one.
fn http1_head(session: &mut Session, host: &str, body: Option<&Body>) -> pingora::Result<RequestHeader> {
    let length = body.map(|body| body.len());
    let streams = length.is_none() && !session.is_body_empty();
    let req = session.req_header_mut();
    if req.version == Version::HTTP_2 {
        req.set_version(Version::HTTP_11);
        req.insert_header(header::HOST, host)?;
        match length {
            Some(length) => req.insert_header(header::CONTENT_LENGTH, length)?,
            None if streams && !req.headers.contains_key(header::CONTENT_LENGTH) => {
                req.insert_header(header::TRANSFER_ENCODING, "chunked")?;
            }
            None => {}
        }
    }
    // The engine would take it for the beginning of a tunnel; those go another way.
    req.remove_header(&header::UPGRADE);
    let mut head = req.clone();
    if body.is_some_and(Body::is_replaced) {
        whole_body::replaced(&mut head);
    }
    if let Some(length) = length {
        whole_body::frame(&mut head, length)?;
    }
    Ok(head)
}

/// In a sub-request: takes over the exchange that was handed in.
pub fn resume(session: &mut Session, exchange: &mut Box<Exchange>) -> bool {
    let handed = session.subrequest_ctx.as_mut().and_then(|ctx| ctx.user_ctx_mut()).and_then(|any| any.downcast_mut::<Handed>());
    let Some((taken, head)) = handed.and_then(|handed| handed.0.get_mut().ok()?.take()) else { return false };
    *exchange = taken;
    *session.req_header_mut() = head;
    true
}

/// In a sub-request that is over: gives back an exchange whose client has no answer yet. `false` when there is nothing to give back, or
/// nobody waits for it any more.
pub fn give_back(exchange: &mut Box<Exchange>) -> bool {
    let back = exchange.outbound_mut().and_then(|outbound| outbound.back.take());
    let Some(back) = back.filter(|back| back.holds.load(Relaxed)) else { return false };
    let mut empty = Box::new(Exchange::new(exchange.id, exchange.time));
    empty.delegated = true;
    let taken = std::mem::replace(exchange, empty);
    back.exchange.send(taken).map_err(|taken| *exchange = taken).is_ok()
}
