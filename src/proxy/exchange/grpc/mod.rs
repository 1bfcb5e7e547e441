//! What is different when a client speaks gRPC: how it is refused, and that it says how long it waits.
//!
//! A call is a POST over HTTP/2 whose media type begins with `application/grpc`. Its client looks for the outcome in `grpc-status`, which an
//! upstream sends in trailers. What the gateway refuses becomes an answer of a head alone, with status 200 and `grpc-status` in it
//! (`Trailers-Only`); an answer that breaks off ends in trailers that say so. A refusal's HTTP status is still what log and series have.
//!
//! An upstream's own answers pass as they are, also those that are no gRPC: clients map them by themselves.

mod timeout;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use pingora::{
    http::{RequestHeader, ResponseHeader},
    proxy::Session,
};
use tollgate_filter_api::{Answer, Meaning};

use super::{answer, patience::Patience, state::Exchange};
use crate::chain::GrpcStatus;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const MEDIA_TYPE: &str = "application/grpc";

/// Whether a head is one of gRPC, by its media type: `application/grpc`, whatever the encoding of its messages. gRPC-Web is another protocol.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    let (value, name) = (value.as_bytes(), MEDIA_TYPE.as_bytes());
    let Some((kind, rest)) = value.split_at_checked(name.len()) else { return false };
    kind.eq_ignore_ascii_case(name) && matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b'\t'))
}

/// A call that the chain let pass: until when its client waits.
///
/// # Errors
/// The refusal of a deadline that cannot be read.
pub fn begin(headers: &HeaderMap, exchange: &mut Exchange) -> Result<(), Answer> {
    if let Some(deadline) = timeout::deadline(headers, exchange.begun)?
        && let Some(outbound) = exchange.outbound_mut()
    {
        outbound.patience.wait_until(deadline);
    }
    Ok(())
}

/// What an upstream is told of a call: how long its client still waits, and that trailers are read, which servers insist on and a
/// sub-request, made as one of HTTP/1, has lost.
pub fn tell(req: &mut RequestHeader, patience: &Patience) -> pingora::Result<()> {
    if req.version == Version::HTTP_2 && !req.headers.contains_key(header::TE) {
        req.insert_header(header::TE, "trailers")?;
    }
    patience.left().map_or(Ok(()), |left| timeout::tell(req, left))
}

/// What a refusal is to a client of gRPC. `None` for what answers in place of an upstream.
pub fn status(session: &Session, exchange: &Exchange, answer: &Answer) -> Option<GrpcStatus> {
    (answer.reason().meaning != Meaning::Reply)
        .then(|| answer::with_mention(session, exchange, |style, mention| GrpcStatus::of(answer, style, mention)))
}

/// The code in a head or in trailers. One that is no code counts as none.
pub fn status_in(headers: &HeaderMap) -> Option<u8> {
    let code = headers.get(STATUS)?.to_str().ok()?.parse().ok()?;
    (code <= 16).then_some(code)
}

/// Makes a refusal's head one that is the whole answer.
///
/// # Errors
/// Never in practice: the message is printable ASCII.
pub fn trailers_only(header: &mut ResponseHeader, status: &GrpcStatus) -> pingora::Result<()> {
    header.set_status(200)?;
    header.insert_header(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))?;
    header.insert_header(STATUS, HeaderValue::from(u16::from(status.code)))?;
    header.insert_header(MESSAGE, status.message.as_str())
}

/// Ends an answer that has begun and cannot go on: trailers say why. The messages that came before are the client's.
pub async fn break_off(session: &mut Session, exchange: &mut Exchange, answer: &Answer) {
    let Some(status) = status(session, exchange, answer) else { return };
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(STATUS, HeaderValue::from(u16::from(status.code)));
    if let Ok(message) = HeaderValue::from_str(&status.message) {
        trailers.insert(MESSAGE, message);
    }
    match session.as_downstream_mut().write_response_trailers(trailers).await {
        Ok(()) => exchange.ending.grpc_status = Some(status.code),
        Err(broken) => log::debug!("the client is gone: {broken}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_media_type_alone() {
        let of = |value: &'static str| is_grpc(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(value))]));
        for value in ["application/grpc", "application/grpc+proto", "Application/GRPC; charset=x", "application/grpc ;v=1"] {
            assert!(of(value), "{value}");
        }
        for value in ["", "application/grp", "application/grpc-web", "application/grpc-web+proto", "application/grpcx", "text/plain"] {
            assert!(!of(value), "{value}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
