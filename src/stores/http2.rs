//! Questions over HTTP/2: all of them on one connection, which is made again when it ends.
//!
//! A connection on which nothing moves is asked for a sign of life while a question waits, so that one that died silently costs the
//! questions of some seconds, and not those of minutes.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tollgate_filter_api::{RemoteRequest, RemoteResponse};
use tollgate_url::Url;

use super::{
    http::{Client, FetchError, collect},
    remote::request,
};

/// Silence after which a sign of life is asked for, and how long it is waited for.
const SILENCE: Duration = Duration::from_secs(5);

/// The connection to one server.
#[derive(Default)]
pub(super) struct Shared(Mutex<Option<Sender>>);

type Sender = SendRequest<Full<Bytes>>;

impl Shared {
    /// A question that the server did not begin with is asked again, on another connection.
    pub async fn exchange(
        &self,
        client: &Client,
        to: &Url,
        request: &RemoteRequest,
        max_bytes: usize,
    ) -> Result<RemoteResponse, FetchError> {
        let mut sender = self.sender(client, to).await?;
        let response = match send(&mut sender, to, request).await {
            Err(error) if was_not_begun(&error) => {
                self.forget(&sender).await;
                let mut sender = self.sender(client, to).await?;
                send(&mut sender, to, request).await?
            }
            sent => sent?,
        };
        read(response, max_bytes).await
    }

    async fn sender(&self, client: &Client, to: &Url) -> Result<Sender, FetchError> {
        let mut known = self.0.lock().await;
        if let Some(open) = known.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        Ok(known.insert(open(client, to).await?).clone())
    }

    /// The next question gets another connection. Questions that wait on this one may still be answered.
    async fn forget(&self, used: &Sender) {
        let mut known = self.0.lock().await;
        if used.is_closed() || !used.is_ready() {
            *known = None;
        }
    }
}

async fn open(client: &Client, to: &Url) -> Result<Sender, FetchError> {
    let stream = client.connect_http2(to).await?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(SILENCE).keep_alive_timeout(SILENCE);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // It ends when nobody can ask on it any more. How is told to whoever waits for an answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn send(sender: &mut Sender, to: &Url, question: &RemoteRequest) -> Result<Response<Incoming>, hyper::Error> {
    sender.ready().await?;
    let mut request: Request<Full<Bytes>> = request(question);
    let scheme = if to.is_https() { "https" } else { "http" };
    let target = question.target.as_ref().unwrap_or(&to.target).clone();
    let uri = Uri::builder().scheme(scheme).authority(to.authority.as_str()).path_and_query(target).build();
    // An authority that is none was refused with the URL; without one the engine refuses to send.
    *request.uri_mut() = uri.unwrap_or_default();
    sender.send_request(request).await
}

async fn read(response: Response<Incoming>, max_bytes: usize) -> Result<RemoteResponse, FetchError> {
    let status = response.status().as_u16();
    let mut fields = response.headers().clone();
    let (body, trailers) = collect(response, max_bytes).await?;
    fields.extend(trailers);
    Ok(RemoteResponse { status, fields, body })
}

/// Whether the server did nothing about the question: it was closing the connection, or refused the stream (RFC 9113 §8.7).
fn was_not_begun(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || reason(error).is_some_and(|reason| reason == h2::Reason::REFUSED_STREAM)
}

fn reason(error: &hyper::Error) -> Option<h2::Reason> {
    std::error::Error::source(error)?.downcast_ref::<h2::Error>()?.reason()
}

#[cfg(test)]
#[path = "tests/http2.rs"]
mod tests;
