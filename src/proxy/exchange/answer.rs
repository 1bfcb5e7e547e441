//! Answers of the gateway itself, as the client gets them.

use http::{HeaderValue, Method, header};
use pingora::{http::ResponseHeader, proxy::Session};
use tollgate_filter_api::{Answer, ResponseHead};

use super::state::{Ended, Exchange};
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
    let rendered = body(session, exchange, &answer);
    let head = session.req_header().method == Method::HEAD;
    let mut header = header(&answer, &rendered)?;
    let ending = &mut exchange.ending;
    ending.ended = Some(Ended::from(&answer));
    ending.refused_client = answer.get_client().map(str::to_owned);
    ending.claimed_client = answer.get_claimed_client().map(str::to_owned);
    ending.status = rendered.status;
    respond_filters(exchange, &mut header);
    let field = exchange.snapshot().map_or(REQUEST_ID, |snapshot| snapshot.judge.ids.field.clone());
    header.insert_header(field, request_id::value(exchange.id))?;
    if admit::closes(answer.reason()) {
        session.set_keepalive(None);
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
    if let Err(fault) = run.response(chain, ResponseHead::wrap_mut(header), call) {
        arrival.log_fault(&fault, std::time::Instant::now());
    }
}

fn body(session: &Session, exchange: &Exchange, answer: &Answer) -> Rendered {
    let style = exchange.snapshot().map_or(Errors::Problem, |snapshot| snapshot.config().gateway.errors);
    let request_id = exchange.id.to_string();
    let mention = Mention {
        path: session.req_header().uri.path(),
        method: session.req_header().method.as_str(),
        request_id: &request_id,
        auth_header: exchange.served().map_or("Authorization", |served| served.auth_header.as_str()),
        key_type: exchange.key_type(),
    };
    render(answer, style, mention)
}

fn header(answer: &Answer, rendered: &Rendered) -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(rendered.status, Some(answer.headers().len() + 6))?;
    for (name, value) in answer.headers() {
        header.append_header(name.clone(), value.clone())?;
    }
    if !rendered.content_type.is_empty() {
        header.insert_header(header::CONTENT_TYPE, rendered.content_type)?;
    }
    if rendered.status != 204 {
        header.insert_header(header::CONTENT_LENGTH, rendered.body.len())?;
    }
    if rendered.status >= 400 {
        header.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    }
    Ok(header)
}
