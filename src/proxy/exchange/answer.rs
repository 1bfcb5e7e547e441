//! Answers of the gateway itself, as the client gets them.

use http::{HeaderValue, Method, header};
use pingora::{http::ResponseHeader, protocols::http::HttpTask, proxy::Session};
use tollgate_filter_api::{Answer, Former, ResponseHead};

use super::{
    grpc,
    state::{Ended, Exchange},
};
use crate::{
    chain::{Mention, Rendered, render},
    config::Errors,
    judge::{
        Admitted, admit,
        fields::request_id::{self, REQUEST_ID},
    },
};

/// Writes an answer; the filters that let the request pass see its header, in reverse order.
///
/// # Errors
/// The connection's.
pub async fn write(session: &mut Session, exchange: &mut Exchange, answer: Answer) -> pingora::Result<()> {
    let grpc = if exchange.grpc { grpc::status(session, exchange, &answer) } else { None };
    let rendered = match &grpc {
        Some(status) => Rendered { status: status.http, content_type: "", body: Vec::new() },
        None => with_mention(session, exchange, |style, mention| render(&answer, style, mention)),
    };
    let head = session.req_header().method == Method::HEAD;
    let mut header = header(&answer, &rendered, grpc.is_none())?;
    let ending = &mut exchange.ending;
    ending.ended = Some(Ended::from(&answer));
    ending.refused_client = answer.get_client().map(str::to_owned);
    ending.claimed_client = answer.get_claimed_client().map(str::to_owned);
    ending.status = rendered.status;
    ending.grpc_status = grpc.as_ref().map(|status| status.code);
    respond_filters(exchange, &mut header);
    if let Some(status) = &grpc {
        // Behind the filters, which know statuses of HTTP.
        grpc::trailers_only(&mut header, status)?;
    }
    let field = exchange.snapshot().map_or(REQUEST_ID, |snapshot| snapshot.judge.ids.field.clone());
    header.insert_header(field, request_id::value(exchange.id))?;
    if admit::closes(answer.reason()) {
        session.set_keepalive(None);
    }
    if grpc.is_some() {
        // The only way by which the engine ends an HTTP/2 stream with a head, as a client of gRPC wants it.
        return session.write_response_tasks(vec![HttpTask::Header(Box::new(header), true)]).await.map(drop);
    }
    let empty = head || rendered.body.is_empty();
    session.write_response_header(Box::new(header), empty).await?;
    if !empty {
        session.write_response_body(Some(rendered.body.into()), true).await?;
    }
    Ok(())
}

/// A filter that says no to the header of an answer the gateway made changes nothing: the answer holds nothing of the upstream.
fn respond_filters(exchange: &mut Exchange, header: &mut ResponseHeader) {
    let Some(arrival) = &mut exchange.arrival else { return };
    let Some(Admitted { chain, call, run, .. }) = arrival.course.as_mut().map(|course| &mut course.admitted) else { return };
    if let Err(fault) = run.response(chain, ResponseHead::wrap_mut(header), false, call) {
        arrival.log_fault(&fault, std::time::Instant::now());
    }
}

/// Has an answer rendered, with what its text may mention.
pub fn with_mention<T>(session: &Session, exchange: &Exchange, render: impl FnOnce(Errors, Mention<'_>) -> T) -> T {
    let style = exchange.snapshot().map_or(Errors::Problem, |snapshot| snapshot.config().gateway.errors);
    let request_id = exchange.id.to_string();
    let req = session.req_header();
    let former = Former::of(req);
    let mention = Mention {
        path: former.map_or(&req.uri, |former| &former.target).path(),
        method: former.map_or(&req.method, |former| &former.method).as_str(),
        request_id: &request_id,
        auth_header: exchange.served().map_or("Authorization", |served| served.auth_header.as_str()),
        key_type: exchange.key_type(),
    };
    render(style, mention)
}

fn header(answer: &Answer, rendered: &Rendered, has_body: bool) -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(rendered.status, Some(answer.headers().len() + 6))?;
    for (name, value) in answer.headers() {
        header.append_header(name.clone(), value.clone())?;
    }
    if !rendered.content_type.is_empty() {
        header.insert_header(header::CONTENT_TYPE, rendered.content_type)?;
    }
    if has_body && rendered.status != 204 {
        header.insert_header(header::CONTENT_LENGTH, rendered.body.len())?;
    }
    if rendered.status >= 400 {
        header.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    }
    Ok(header)
}
