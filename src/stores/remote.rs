//! A server that requests wait for: connections are kept, questions are few at a time, and a server that fails is left alone.
//!
//! The server is believed as far as TLS vouches for it; over `http` anyone on the way can answer. Its answer is untrusted data
//! for whoever asked. Redirects are not followed and no proxy is used.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{ACCEPT_ENCODING, HOST, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tollgate_filter_api::{Counter, Metrics, Remote, RemoteError, RemoteFuture, RemotePolicy, RemoteRequest, RemoteResponse};
use tollgate_url::Url;

use super::{
    breaker::Breaker,
    http::{Client, FetchError, OUR_NAME, collect},
    tended::lock,
};

/// Questions at the same time; more wait for their turn, within their time.
const AT_ONCE: usize = 64;
/// Connections kept while nobody asks.
const KEPT: usize = 16;
/// A connection that was idle for longer is not used again: most servers have closed it by then.
const IDLE: Duration = Duration::from_secs(20);

/// One server and one policy.
pub(super) struct HttpRemote(Arc<Inner>);

struct Inner {
    target: Url,
    client: Client,
    policy: RemotePolicy,
    kept: Mutex<Vec<(Connection, Instant)>>,
    turns: Semaphore,
    breaker: Breaker,
    calls: Counter,
    failures: Counter,
}

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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("{0}: it failed several times in a row and is left alone for a moment")]
    Open(Url),
    #[error("{0}: too many questions at the same time")]
    Busy(Url),
    #[error("{0}: {1}")]
    Failed(Url, FetchError),
}

impl HttpRemote {
    pub(super) fn new(target: Url, client: Client, policy: RemotePolicy, metrics: &Metrics) -> Self {
        let name = target.to_string();
        let label = Some(("remote", name.as_str()));
        Self(Arc::new(Inner {
            client,
            policy,
            kept: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            breaker: Breaker::new(metrics.gauge("remote_open", label)),
            calls: metrics.counter("remote_calls_total", label),
            failures: metrics.counter("remote_failures_total", label),
            target,
        }))
    }
}

impl Remote for HttpRemote {
    /// A kept connection that turns out to be closed before any answer came is replaced, and the question asked again: the
    /// server may see it twice.
    fn call(&self, request: RemoteRequest) -> RemoteFuture {
        let inner = self.0.clone();
        Box::pin(async move { inner.ask(request).await.map_err(|error| RemoteError(error.to_string())) })
    }
}

impl Inner {
    async fn ask(&self, request: RemoteRequest) -> Result<RemoteResponse, CallError> {
        let deadline = Instant::now() + self.policy.timeout;
        let turn = timeout_at(deadline, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(CallError::Busy(self.target.clone())) };
        let leave = self.breaker.enter().ok_or_else(|| CallError::Open(self.target.clone()))?;
        self.calls.inc();
        let late = Err(FetchError::Late(self.policy.timeout));
        let answer = timeout_at(deadline, self.exchange(&request)).await.unwrap_or(late);
        let good = answer.as_ref().is_ok_and(|answer| answer.status < 500);
        if !good {
            self.failures.inc();
        }
        leave.verdict(good);
        answer.map_err(|error| CallError::Failed(self.target.clone(), error))
    }

    async fn exchange(&self, request: &RemoteRequest) -> Result<RemoteResponse, FetchError> {
        if let Some(mut connection) = self.take() {
            match self.send(&mut connection, request).await {
                Ok(response) => return self.read(connection, response).await,
                Err(error) if was_closed(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut connection = self.open().await?;
        let response = self.send(&mut connection, request).await?;
        self.read(connection, response).await
    }

    async fn open(&self) -> Result<Connection, FetchError> {
        let stream = self.client.connect(&self.target).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // How it ends is told to whoever waits for an answer on it.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Connection { sender, driver })
    }

    async fn send(&self, connection: &mut Connection, request: &RemoteRequest) -> Result<Response<Incoming>, hyper::Error> {
        connection.sender.ready().await?;
        connection.sender.send_request(self.request(request)).await
    }

    fn request(&self, question: &RemoteRequest) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(question.body.clone()));
        *request.method_mut() = question.method.clone();
        *request.uri_mut() = question.target.as_ref().unwrap_or(&self.target.target).clone().into();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, OUR_NAME);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in &question.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Ok(host) = HeaderValue::from_str(&self.target.authority) {
            headers.insert(HOST, host);
        }
        request
    }

    async fn read(&self, connection: Connection, response: Response<Incoming>) -> Result<RemoteResponse, FetchError> {
        let status = response.status().as_u16();
        let fields = response.headers().clone();
        let body = collect(response, self.policy.max_bytes).await?;
        self.keep(connection);
        Ok(RemoteResponse { status, fields, body })
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Connection> {
        let mut kept = lock(&self.kept);
        let old = |since: &Instant| since.elapsed() >= IDLE;
        kept.retain(|(connection, since)| !old(since) && !connection.sender.is_closed());
        kept.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut kept = lock(&self.kept);
        if kept.len() < KEPT && !connection.sender.is_closed() {
            kept.push((connection, Instant::now()));
        }
    }
}

/// Whether the server had closed the connection, or did, before it said anything.
fn was_closed(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let io = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let reset = io.is_some_and(|io| matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected));
    reset || error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}

#[cfg(test)]
#[path = "tests/remote.rs"]
mod tests;
