//! What comes back, judged before tonic reads it.
//!
//! tonic takes any `Content-Type` for gRPC, and panics at a `grpc-status-details-bin` that is no base64. It also keeps a refusal apart
//! from its own complaints by nothing but the text; here both have types.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tollgate_outbound::quoted;
use tonic::{Code, Status};
use tower::BoxError;

/// An answer that says no, or none of etcd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("expected an answer of etcd, found HTTP status {0}")]
    Status(u16),
    #[error("expected an answer of etcd, found one that is not gRPC")]
    NotGrpc,
    #[error("etcd says: {0}")]
    Refused(String),
}

/// An answer whose head is good, and whose trailers will be judged when they come.
pub(crate) fn judged(answer: Response<Incoming>) -> Result<Response<tonic::body::Body>, Unfit> {
    let (mut head, body) = answer.into_parts();
    if head.status != StatusCode::OK {
        return Err(Unfit::Status(head.status.as_u16()));
    }
    let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !kind.starts_with(b"application/grpc") {
        return Err(Unfit::NotGrpc);
    }
    status(&mut head.headers)?;
    Ok(Response::from_parts(head, tonic::body::Body::new(Judged(body))))
}

/// Judges the status, where there is one.
fn status(fields: &mut HeaderMap) -> Result<(), Unfit> {
    fields.remove("grpc-status-details-bin");
    match Status::from_header_map(fields) {
        Some(status) if status.code() != Code::Ok => {
            let message = quoted(status.message());
            Err(Unfit::Refused(if message.is_empty() { format!("gRPC status {}", i32::from(status.code())) } else { message }))
        }
        _ => Ok(()),
    }
}

struct Judged(Incoming);

impl Body for Judged {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.0).poll_frame(cx)) else { return Poll::Ready(None) };
        let judged = frame.map_err(BoxError::from).and_then(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                status(trailers)?;
            }
            Ok(frame)
        });
        Poll::Ready(Some(judged))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
