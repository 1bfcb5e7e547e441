//! Answers of the gateway itself, as the client gets them.

use http::{HeaderValue, Method, header};
use pingora::{http::ResponseHeader, protocols::http::HttpTask, proxy::Session};
use tollgate_filter_api::{Answer, Former, Meaning, Page, RequestHead, ResponseHead};

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
    let page = if grpc.is_none() { page(session, exchange, &answer, rendered.status) } else { None };
    let Rendered { status, content_type, body } = rendered;
    let (content_type, body) = match page {
        Some(page) => (Some(page.content_type), page.body),
        None => ((!content_type.is_empty()).then(|| HeaderValue::from_static(content_type)), body.into()),
    };
    let mut header = header(&answer, status, content_type, grpc.is_none().then_some(body.len()))?;
    let ending = &mut exchange.ending;
    ending.ended = Some(Ended::from(&answer));
    ending.refused_client = answer.get_client().map(str::to_owned);
    ending.claimed_client = answer.get_claimed_client().map(str::to_owned);
    ending.status = status;
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
    let empty = head || body.is_empty();
    session.write_response_header(Box::new(header), empty).await?;
    if !empty {
        session.write_response_body(Some(body), true).await?;
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

/// The body that a filter has for a refusal. One that ends a request without refusing it says itself what its body is.
fn page(session: &Session, exchange: &mut Exchange, answer: &Answer, status: u16) -> Option<Page> {
    let reason = answer.reason();
    if reason.meaning == Meaning::Reply || answer.get_body().is_some() {
        return None;
    }
    let Admitted { chain, call, run, .. } = &mut exchange.arrival.as_mut()?.course.as_mut()?.admitted;
    run.page(chain, RequestHead::wrap(session.req_header()), status, reason, call)
}

/// The head; `length` of its body, when it has one.
fn header(answer: &Answer, status: u16, content_type: Option<HeaderValue>, length: Option<usize>) -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(status, Some(answer.headers().len() + 6))?;
    for (name, value) in answer.headers() {
        header.append_header(name.clone(), value.clone())?;
    }
    if let Some(content_type) = content_type {
        header.insert_header(header::CONTENT_TYPE, content_type)?;
    }
    if let Some(length) = length.filter(|_| status != 204) {
        header.insert_header(header::CONTENT_LENGTH, length)?;
    }
    if status >= 400 {
        header.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    }
    Ok(header)
}
