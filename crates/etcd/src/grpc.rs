//! gRPC over HTTP/2, as far as etcd needs it: a question with one answer, and a stream of both.
//!
//! Compression is not offered. What comes is held to [`MOST`] bytes a message, and to HTTP/2's windows before it is read.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use prost::Message;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tollgate_outbound::{quoted, tls};

use crate::{
    endpoint::Endpoint,
    failure::Lost,
    proto::{AUTHENTICATE, AuthenticateRequest, AuthenticateResponse},
    settings::Settings,
};

/// How long a connection, and each answer, may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a message. etcd holds its clients to 1.5 MiB a request, and a watch's answers to little more. A message of
/// nothing but empty keys takes some fifty times its size when read.
pub(crate) const MOST: usize = 4 << 20;
/// What a stream may send before it is read, and all streams together: a watch that waits must not stop a listing.
const WINDOWS: (u32, u32) = (1 << 20, 8 << 20);
/// A flag and a length come before each message.
const PREFIX: usize = 5;

/// Ends the task that carries the connection with the last who needs it.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection to a member. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Channel {
    send: SendRequest<Bytes>,
    base: String,
    token: Option<HeaderValue>,
    _driver: Arc<Driver>,
}

impl Channel {
    /// Connects, and says who we are.
    pub(crate) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Lost> {
        let opening = async {
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
        };
        let mut channel = timeout(PATIENCE, opening).await.map_err(|_| Lost::Late(PATIENCE))??;
        channel.authenticate(settings).await?;
        Ok(channel)
    }

    async fn over(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, endpoint: &Endpoint) -> Result<Self, Lost> {
        let mut builder = h2::client::Builder::new();
        builder.enable_push(false).max_header_list_size(16 << 10).initial_window_size(WINDOWS.0).initial_connection_window_size(WINDOWS.1);
        let (send, connection) = builder.handshake(io).await?;
        // Its failure shows in every stream.
        let driver = tokio::spawn(async { drop(connection.await) });
        Ok(Self { send, base: endpoint.base.clone(), token: None, _driver: Arc::new(Driver(driver)) })
    }

    /// Takes a new token, where there is a user.
    pub(crate) async fn authenticate(&mut self, settings: &Settings) -> Result<(), Lost> {
        let (Some(name), Some(password)) = (&settings.username, &settings.password) else { return Ok(()) };
        let question = AuthenticateRequest { name: name.clone(), password: password.expose().to_owned() };
        self.token = None;
        let answer: AuthenticateResponse = self.ask(AUTHENTICATE, &question).await.map_err(|lost| match lost {
            Lost::Told(why) => Lost::Credentials(why),
            lost => lost,
        })?;
        let mut token = HeaderValue::from_str(&answer.token).map_err(|_| Lost::Broken("a token that no field may hold"))?;
        token.set_sensitive(true);
        self.token = Some(token);
        Ok(())
    }

    async fn send(&self, path: &str) -> Result<(ResponseFuture, SendStream<Bytes>), Lost> {
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(header::TE, "trailers")
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header("token", token);
        }
        let request = request.body(()).map_err(|_| Lost::Broken("a name that no request may hold"))?;
        Ok(self.send.clone().ready().await?.send_request(request, false)?)
    }

    /// A question and its answer.
    pub(crate) async fn ask<A: Message + Default>(&self, path: &str, question: &impl Message) -> Result<A, Lost> {
        let asking = async {
            let (answer, mut out) = self.send(path).await?;
            out.send_data(framed(question), true)?;
            let mut incoming = Incoming::of(answer.await?)?;
            let message = incoming.next().await?.ok_or(Lost::Broken("an answer without a message"))?;
            match incoming.next::<A>().await? {
                None => Ok(message),
                Some(_) => Err(Lost::Broken("two answers to one question")),
            }
        };
        timeout(PATIENCE, asking).await.map_err(|_| Lost::Late(PATIENCE))?
    }

    /// A stream, opened with a first word.
    pub(crate) async fn stream(&self, path: &str, first: &impl Message) -> Result<Duplex, Lost> {
        let opening = async {
            let (answer, mut out) = self.send(path).await?;
            out.send_data(framed(first), false)?;
            Ok(Duplex { out, incoming: Incoming::of(answer.await?)? })
        };
        timeout(PATIENCE, opening).await.map_err(|_| Lost::Late(PATIENCE))?
    }
}

/// Words both ways.
pub(crate) struct Duplex {
    out: SendStream<Bytes>,
    incoming: Incoming,
}

impl Duplex {
    pub(crate) fn say(&mut self, word: &impl Message) -> Result<(), Lost> {
        Ok(self.out.send_data(framed(word), false)?)
    }

    /// The next word; may be dropped while it waits, and called again.
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<A, Lost> {
        self.incoming.next().await?.ok_or(Lost::Closed)
    }
}

fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    bytes.put_slice(&message.encode_to_vec());
    bytes.freeze()
}

/// What comes back.
struct Incoming {
    body: RecvStream,
    inbox: BytesMut,
}

impl Incoming {
    fn of(response: Response<RecvStream>) -> Result<Self, Lost> {
        let (head, body) = response.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(Lost::Status(head.status.as_u16()));
        }
        let kind = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        if !kind.starts_with(b"application/grpc") {
            return Err(Lost::Broken("an answer that is not gRPC"));
        }
        if head.headers.contains_key("grpc-status") {
            status(&head.headers)?;
        }
        Ok(Self { body, inbox: BytesMut::new() })
    }

    /// The next message; `None` at an end that was announced as a good one.
    async fn next<A: Message + Default>(&mut self) -> Result<Option<A>, Lost> {
        loop {
            if let Some(message) = self.cut()? {
                return A::decode(message).map(Some).map_err(|_| Lost::Broken("a message that cannot be read"));
            }
            match self.body.data().await {
                Some(piece) => {
                    let piece = piece?;
                    self.body.flow_control().release_capacity(piece.len())?;
                    self.inbox.extend_from_slice(&piece);
                }
                None => {
                    let trailers = self.body.trailers().await?.ok_or(Lost::Broken("an answer without a status"))?;
                    status(&trailers)?;
                    return if self.inbox.is_empty() { Ok(None) } else { Err(Lost::Broken("half a message")) };
                }
            }
        }
    }

    /// Takes a message out, when it is whole. Its length is judged before it is waited for.
    fn cut(&mut self) -> Result<Option<Bytes>, Lost> {
        let Some((head, _)) = self.inbox.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let [flag, length @ ..] = *head;
        if flag != 0 {
            return Err(Lost::Broken("a compressed message, which was not asked for"));
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > MOST {
            return Err(Lost::TooLarge(MOST));
        }
        if self.inbox.len() < PREFIX + length {
            return Ok(None);
        }
        self.inbox.advance(PREFIX);
        Ok(Some(self.inbox.split_to(length).freeze()))
    }
}

/// Judges the status; 0 is good.
fn status(fields: &HeaderMap) -> Result<(), Lost> {
    let field = |name| fields.get(name).and_then(|value| value.to_str().ok());
    match field("grpc-status") {
        Some("0") => Ok(()),
        None => Err(Lost::Broken("an answer without a status")),
        Some(code) => {
            let message = quoted(field("grpc-message").unwrap_or_default());
            Err(Lost::Told(if message.is_empty() { format!("gRPC status {}", quoted(code)) } else { message }))
        }
    }
}
