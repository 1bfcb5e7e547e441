//! Questions over HTTP/1.1: one at a time on a connection, and connections are kept.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{task::JoinHandle, time::Instant};
use tollgate_filter_api::{RemoteRequest, RemoteResponse};
use tollgate_url::Url;

use super::{
    http::{Client, FetchError, collect},
    remote::request,
    tended::lock,
};

/// Connections kept while nobody asks.
const KEPT: usize = 16;
/// A connection that was idle for longer is not used again: most servers have closed it by then.
const IDLE: Duration = Duration::from_secs(20);

/// The connections to one server.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<(Connection, Instant)>>);

/// A connection and the task that drives it; both end together.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Kept {
    /// A kept connection that turns out to be closed before any answer came is replaced, and the question asked again: the
    /// server may see it twice.
    pub async fn exchange(
        &self,
        client: &Client,
        to: &Url,
        request: &RemoteRequest,
        max_bytes: usize,
    ) -> Result<RemoteResponse, FetchError> {
        if let Some(mut connection) = self.take() {
            match send(&mut connection, to, request).await {
                Ok(response) => return self.read(connection, response, max_bytes).await,
                Err(error) if was_closed(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut connection = open(client, to).await?;
        let response = send(&mut connection, to, request).await?;
        self.read(connection, response, max_bytes).await
    }

    async fn read(&self, connection: Connection, response: Response<Incoming>, max_bytes: usize) -> Result<RemoteResponse, FetchError> {
        let status = response.status().as_u16();
        let fields = response.headers().clone();
        let (body, _) = collect(response, max_bytes).await?;
        self.keep(connection);
        Ok(RemoteResponse { status, fields, body })
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Connection> {
        let mut kept = lock(&self.0);
        let old = |since: &Instant| since.elapsed() >= IDLE;
        kept.retain(|(connection, since)| !old(since) && !connection.sender.is_closed());
        kept.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut kept = lock(&self.0);
        if kept.len() < KEPT && !connection.sender.is_closed() {
            kept.push((connection, Instant::now()));
        }
    }
}

async fn open(client: &Client, to: &Url) -> Result<Connection, FetchError> {
    let stream = client.connect(to).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // How it ends is told to whoever waits for an answer on it.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(Connection { sender, driver })
}

async fn send(connection: &mut Connection, to: &Url, question: &RemoteRequest) -> Result<Response<Incoming>, hyper::Error> {
    connection.sender.ready().await?;
    let mut request: Request<Full<Bytes>> = request(question);
    *request.uri_mut() = question.target.as_ref().unwrap_or(&to.target).clone().into();
    if let Ok(host) = HeaderValue::from_str(&to.authority) {
        request.headers_mut().insert(HOST, host);
    }
    connection.sender.send_request(request).await
}

/// Whether the server had closed the connection, or did, before it said anything.
fn was_closed(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let reset = io.is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected));
    reset || error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}
