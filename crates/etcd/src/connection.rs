//! A connection to a member: TCP or TLS, and HTTP/2 over it. It never connects again by itself; who uses it wants to know.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, Uri, header};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tollgate_outbound::tls;
use tonic::body::Body;
use tower::{BoxError, Service};

use crate::{answer::judged, endpoint::Endpoint, failure::Lost, settings::Settings};

/// What a stream may send before it is read, and all streams together: a watch that waits must not stop a listing.
const WINDOWS: (u32, u32) = (1 << 20, 8 << 20);
/// Most bytes of the fields of an answer.
const FIELDS: u32 = 16 << 10;

/// Takes requests as tonic makes them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    requests: SendRequest<Body>,
    base: Uri,
}

impl Connection {
    /// Connects. The connection ends with the last of its clones and streams.
    pub(crate) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Lost> {
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(Lost::Connect)?;
        tcp.set_nodelay(true).map_err(Lost::Connect)?;
        if !endpoint.secure {
            return Self::over(tcp, endpoint).await;
        }
        let stream = tls::handshake(&settings.files(), &endpoint.host, b"\x02h2", tcp).await.map_err(|failure| match failure {
            tls::Failure::Files(problem) => Lost::Trust(problem),
            tls::Failure::Handshake(cause) => Lost::Tls(cause),
        })?;
        if stream.ssl().selected_alpn_protocol() != Some(b"h2") {
            return Err(Lost::Broken("a server that does not speak HTTP/2"));
        }
        Self::over(stream, endpoint).await
    }

    async fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, endpoint: &Endpoint) -> Result<Self, Lost> {
        let base = endpoint.base.parse().map_err(|_| Lost::Broken("a name that no request may hold"))?;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.max_header_list_size(FIELDS).initial_stream_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
        let (requests, connection) = builder.handshake(TokioIo::new(io)).await?;
        // Its failure shows in every stream.
        tokio::spawn(connection);
        Ok(Self { requests, base })
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    /// Always: tonic makes a mere text of what is said here, and of what the call says it does not.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Self { mut requests, base } = self.clone();
        Box::pin(async move {
            let mut uri = base.into_parts();
            uri.path_and_query = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from_parts(uri)?;
            let fields = request.headers_mut();
            fields.insert(header::USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
            if let Some(token) = fields.get_mut("token") {
                token.set_sensitive(true);
            }
            Ok(judged(requests.send_request(request).await?)?)
        })
    }
}
