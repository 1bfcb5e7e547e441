//! One GET over `http` or `https`, for documents; and connecting, for whoever says more than GET.
//!
//! The certificate is verified against the configured store and the URL's host, redirects are not followed, no proxy is
//! used, the whole exchange has one deadline, and the body is counted while it streams. The answer's media type is not
//! judged: file servers and object stores send key sets as text or as bytes, the operator named the URL, nothing that a client sends
//! is part of the question, and whoever reads the document is strict about its form.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HOST, HeaderValue, IF_NONE_MATCH, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use openssl::ssl::SslConnector;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_openssl::SslStream;
use tollgate_filter_api::Problem;
use tollgate_url::{Url, redacted};

use super::{ServerTrust, tended::lock};

/// How servers are told who is asking.
pub(super) const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION")));

/// HTTP/2 as RFC 7301 §3.1 writes it.
const HTTP2: &[u8] = b"\x02h2";

/// Takes an absolute `http` or `https` URL apart.
///
/// # Errors
/// What is wrong with it.
pub fn parse_url(text: &str) -> Result<Url, Problem> {
    Url::parse_http(text).map_err(|error| Problem::error("document.url", format!("the URL `{}` {error}", redacted(text))))
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The source confirmed the version that was named.
    Same,
    /// A body, and the tag to name this version by.
    New(Bytes, Option<HeaderValue>),
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The whole exchange took too long.
    #[error("no complete answer within {0:?}")]
    Late(Duration),
    /// Name, TCP.
    #[error("cannot connect: {0}")]
    Connect(#[source] std::io::Error),
    /// TLS, the certificate included.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Nothing can be trusted.
    #[error("{0}")]
    Trust(Problem),
    /// Not HTTP, or cut off.
    #[error("broken HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    /// Not 200, and not a 304 that was asked for.
    #[error("expected status 200, found {0}")]
    Status(StatusCode),
    /// A redirect, which is not followed.
    #[error("redirects are not followed, found status {0}")]
    Redirect(StatusCode),
    /// Too long.
    #[error("longer than the {0} bytes allowed")]
    Large(usize),
    /// Compressed although that was not accepted.
    #[error("compressed, which was not asked for")]
    Encoded,
}

pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Fetches; cheap to clone.
#[derive(Clone)]
pub struct Client {
    trust: ServerTrust,
    // Made at the first use of TLS: reading the machine's bundle is the larger part of a start.
    connector: Arc<Mutex<Option<SslConnector>>>,
}

impl Client {
    /// A client that trusts these certificates.
    pub fn new(trust: ServerTrust) -> Self {
        Self { trust, connector: Arc::default() }
    }

    /// What its trust reads as now, to be put to [use](Self::renew); `None` for the machine's bundle, which is read once.
    ///
    /// # Errors
    /// When the file is missing or holds no certificates.
    pub(super) fn read_trust(&self) -> Result<Option<SslConnector>, Problem> {
        match self.trust {
            ServerTrust::System => Ok(None),
            ServerTrust::File(_) => self.trust.connector().map(Some),
        }
    }

    /// Trusts what was read, from the next connection on.
    pub(super) fn renew(&self, read: Option<SslConnector>) {
        if let Some(connector) = read {
            *lock(&self.connector) = Some(connector);
        }
    }

    /// Refuses what can never be fetched: an `https` target when nothing is trusted.
    ///
    /// # Errors
    /// When the trust store is missing or empty.
    pub fn check(&self, target: &Url) -> Result<(), Problem> {
        if target.is_https() { self.trust.check() } else { Ok(()) }
    }

    /// Fetches the target, unless `known` still names its content.
    ///
    /// # Errors
    /// When no complete, plain 200 came within `timeout` and `max_bytes`.
    pub async fn get(&self, target: &Url, known: Option<&HeaderValue>, timeout: Duration, max_bytes: usize) -> Result<Fetched, FetchError> {
        tokio::time::timeout(timeout, self.exchange(target, known, max_bytes)).await.unwrap_or(Err(FetchError::Late(timeout)))
    }

    async fn exchange(&self, target: &Url, known: Option<&HeaderValue>, max_bytes: usize) -> Result<Fetched, FetchError> {
        let stream = self.connect(target).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let response = sender.send_request(request(target, known)).await?;
            read(response, known.is_some(), max_bytes).await
        };
        // One task drives both, so nothing is left behind when the deadline drops this future. The connection may end
        // before the body was taken out of it.
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = connection => answer.await,
        }
    }

    /// A connection to the target's server, whose certificate was verified.
    pub(super) async fn connect(&self, target: &Url) -> Result<Box<dyn Io>, FetchError> {
        self.connect_for(target, &[]).await
    }

    /// The same for HTTP/2, which the server has to agree to (RFC 9113 §3.2); without TLS it is taken for granted (§3.3).
    pub(super) async fn connect_http2(&self, target: &Url) -> Result<Box<dyn Io>, FetchError> {
        self.connect_for(target, HTTP2).await
    }

    async fn connect_for(&self, target: &Url, protocol: &[u8]) -> Result<Box<dyn Io>, FetchError> {
        let tcp = TcpStream::connect((target.host.as_str(), target.http_port())).await.map_err(FetchError::Connect)?;
        if !target.is_https() {
            return Ok(Box::new(tcp));
        }
        let tls = |error: &dyn fmt::Display| FetchError::Tls(error.to_string());
        let mut ssl = tollgate_outbound::tls::towards(&self.connector()?, &target.host).map_err(|e| tls(&e))?;
        if !protocol.is_empty() {
            ssl.set_alpn_protos(protocol).map_err(|e| tls(&e))?;
        }
        let mut stream = SslStream::new(ssl, tcp).map_err(|e| tls(&e))?;
        if let Err(error) = Pin::new(&mut stream).connect().await {
            let verdict = stream.ssl().verify_result();
            let refused = verdict != openssl::x509::X509VerifyResult::OK;
            return Err(if refused { tls(&format_args!("the server's certificate: {verdict}")) } else { tls(&error) });
        }
        if protocol == HTTP2 && stream.ssl().selected_alpn_protocol() != HTTP2.get(1..) {
            return Err(tls(&"the server does not agree to HTTP/2"));
        }
        Ok(Box::new(stream))
    }

    fn connector(&self) -> Result<SslConnector, FetchError> {
        let mut made = lock(&self.connector);
        if let Some(connector) = &*made {
            return Ok(connector.clone());
        }
        let connector = self.trust.connector().map_err(FetchError::Trust)?;
        *made = Some(connector.clone());
        Ok(connector)
    }
}

fn request(target: &Url, known: Option<&HeaderValue>) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = target.target.clone().into();
    let headers = request.headers_mut();
    if let Ok(host) = HeaderValue::from_str(&target.authority) {
        headers.insert(HOST, host);
    }
    headers.insert(USER_AGENT, OUR_NAME);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let Some(known) = known {
        headers.insert(IF_NONE_MATCH, known.clone());
    }
    request
}

async fn read(response: Response<Incoming>, conditional: bool, max_bytes: usize) -> Result<Fetched, FetchError> {
    let status = response.status();
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if conditional => return Ok(Fetched::Same),
        _ if status.is_redirection() => return Err(FetchError::Redirect(status)),
        _ => return Err(FetchError::Status(status)),
    }
    let tag = response.headers().get(ETAG).cloned();
    Ok(Fetched::New(collect(response, max_bytes).await?.0, tag))
}

/// The whole body, neither longer than allowed nor compressed, and what comes after it.
pub(super) async fn collect(response: Response<Incoming>, max_bytes: usize) -> Result<(Bytes, HeaderMap), FetchError> {
    let headers = response.headers();
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(FetchError::Encoded);
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_bytes) {
        return Err(FetchError::Large(max_bytes));
    }
    let mut content = Vec::with_capacity(announced.unwrap_or(0));
    let mut trailers = HeaderMap::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) if content.len() + data.len() > max_bytes => return Err(FetchError::Large(max_bytes)),
            Ok(data) => content.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((content.into(), trailers))
}

#[cfg(test)]
#[path = "tests/http.rs"]
mod tests;
