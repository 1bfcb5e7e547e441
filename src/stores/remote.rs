//! A server that requests wait for: connections are kept, questions are few at a time, and a server that fails is left alone.
//!
//! The server is believed as far as TLS vouches for it; over `http` anyone on the way can answer. Its answer is untrusted data
//! for whoever asked. Redirects are not followed and no proxy is used.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    header::{ACCEPT_ENCODING, HeaderValue, USER_AGENT},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use tollgate_filter_api::{Counter, Metrics, Remote, RemoteError, RemoteFuture, RemotePolicy, RemoteRequest, RemoteResponse};
use tollgate_url::Url;

use super::{
    breaker::Breaker,
    http::{Client, FetchError, OUR_NAME},
    http1, http2,
};

/// Questions at the same time; more wait for their turn, within their time.
const AT_ONCE: usize = 64;

/// One server and one policy.
pub(super) struct HttpRemote(Arc<Inner>);

struct Inner {
    target: Url,
    client: Client,
    policy: RemotePolicy,
    connections: Connections,
    turns: Semaphore,
    breaker: Breaker,
    calls: Counter,
    failures: Counter,
}

/// By what version of HTTP the server is asked.
pub(super) enum Connections {
    Http1(http1::Kept),
    Http2(http2::Shared),
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
    pub(super) fn new(target: Url, client: Client, connections: Connections, policy: RemotePolicy, metrics: &Metrics) -> Self {
        let name = target.to_string();
        let label = Some(("remote", name.as_str()));
        Self(Arc::new(Inner {
            client,
            policy,
            connections,
            turns: Semaphore::new(AT_ONCE),
            breaker: Breaker::new(metrics.gauge("remote_open", label)),
            calls: metrics.counter("remote_calls_total", label),
            failures: metrics.counter("remote_failures_total", label),
            target,
        }))
    }
}

impl Remote for HttpRemote {
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
        let good = answer.as_ref().is_ok_and(|answer| answer.status < 500 && !is_grpc_failure(answer));
        if !good {
            self.failures.inc();
        }
        leave.verdict(good);
        answer.map_err(|error| CallError::Failed(self.target.clone(), error))
    }

    async fn exchange(&self, request: &RemoteRequest) -> Result<RemoteResponse, FetchError> {
        let max_bytes = self.policy.max_bytes;
        match &self.connections {
            Connections::Http1(kept) => kept.exchange(&self.client, &self.target, request, max_bytes).await,
            Connections::Http2(shared) => shared.exchange(&self.client, &self.target, request, max_bytes).await,
        }
    }
}

/// Whether a gRPC server says that the fault is its own: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE or
/// DATA_LOSS.
fn is_grpc_failure(answer: &RemoteResponse) -> bool {
    let said = answer.fields.get("grpc-status").map(HeaderValue::as_bytes);
    matches!(said, Some(b"2" | b"4" | b"8" | b"13" | b"14" | b"15"))
}

/// What is the same whatever version of HTTP carries it.
pub(super) fn request(question: &RemoteRequest) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(question.body.clone()));
    *request.method_mut() = question.method.clone();
    let headers = request.headers_mut();
    headers.insert(USER_AGENT, OUR_NAME);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in &question.headers {
        headers.insert(name.clone(), value.clone());
    }
    request
}

#[cfg(test)]
#[path = "tests/remote.rs"]
mod tests;
