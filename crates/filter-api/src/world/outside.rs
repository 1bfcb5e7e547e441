//! What filters may ask of the outside world during a request: servers, and the list of what was revoked.

use std::{future::Future, path::PathBuf, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE, uri::PathAndQuery};
use serde::{Deserialize, Serialize};

use crate::{Moment, Principal};

/// How a server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemotePolicy {
    /// Time for the whole exchange.
    pub timeout: Duration,
    /// Largest answer.
    pub max_bytes: usize,
    /// Certificates to trust instead of the machine's, PEM; relative paths are relative to the configuration file.
    pub ca: Option<PathBuf>,
}

/// A question to a server.
#[derive(Clone, Debug)]
pub struct RemoteRequest {
    /// The method.
    pub method: Method,
    /// Path and query, in place of those of the server's URL.
    pub target: Option<PathAndQuery>,
    /// Fields besides `Host` and `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; may be empty.
    pub body: Bytes,
}

/// What the server said.
#[derive(Clone, Debug)]
pub struct RemoteResponse {
    /// Status code.
    pub status: u16,
    /// Its fields.
    pub fields: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl RemoteResponse {
    /// An answer of that media type, for tests. One that no field can hold is left out.
    pub fn of_type(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_str(content_type).ok();
        Self { status, fields: content_type.map(|value| (CONTENT_TYPE, value)).into_iter().collect(), body: body.into() }
    }

    /// `Content-Type`, if there is exactly one.
    pub fn content_type(&self) -> Option<&str> {
        let mut types = self.fields.get_all(CONTENT_TYPE).iter();
        types.next().filter(|_| types.next().is_none())?.to_str().ok()
    }

    /// The body of a good answer in JSON: the status is 200 and the media type `application/json`, with or without parameters. A page or an
    /// upload that only looks like JSON is no answer.
    ///
    /// # Errors
    /// What was expected and what was found, for the log.
    pub fn json(&self) -> Result<&Bytes, String> {
        if self.status != 200 {
            return Err(format!("expected status 200, found {}", self.status));
        }
        let Some(found) = self.content_type() else {
            return Err("expected one `Content-Type: application/json`, found none or several".to_owned());
        };
        let essence = found.split(';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case("application/json") {
            return Ok(&self.body);
        }
        Err(format!("expected `Content-Type: application/json`, found {:?}", found.chars().take(80).collect::<String>()))
    }
}

/// Why there is no answer: the server is away, too slow, not trusted, or says too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError(pub String);

impl std::fmt::Display for RemoteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RemoteError {}

/// What [`Remote::call`] comes to.
pub type RemoteFuture = Pin<Box<dyn Future<Output = Result<RemoteResponse, RemoteError>> + Send>>;

/// A server that is asked during requests. Connections are kept; certificates and host names are verified; redirects are not
/// followed.
pub trait Remote: Send + Sync {
    /// Asks once. Dropping the future gives the question up.
    fn call(&self, request: RemoteRequest) -> RemoteFuture;
}

/// By what a credential was found on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedBy {
    /// Its `jti`.
    TokenId,
    /// Its signature, or the opaque token itself.
    Signature,
    /// The client application's key.
    Client,
    /// Its subject, and it was issued before the time given.
    Subject,
}

/// What was revoked, as a snapshot that a request reads without waiting.
pub trait Revocations: Send + Sync {
    /// Whether a credential is on the list.
    fn find(&self, credential: &Principal, now: Moment) -> Option<RevokedBy>;
    /// How much the list is worth.
    fn standing(&self, now: Moment) -> Standing;
}

/// How much the list of what was revoked is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How long ago the least fresh of the configured inputs was last known to be complete; `None` before the first time.
    /// Zero when nothing but the gateway itself fills the list.
    pub age: Option<Duration>,
    /// Whether every source has said what it held when this process began, or was waited for long enough. False only in the time after a
    /// start; until then a credential may be revoked that is not on the list.
    pub has_caught_up: bool,
}
