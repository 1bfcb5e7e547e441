//! A client that sends exactly what it is told.

use std::{
    io::{self, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use openssl::ssl::{SslConnector, SslStream};

use crate::{
    PATIENCE,
    message::{self, Framing, Message},
};

pub type Response = Message;

/// A connection, plain or TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

impl Stream {
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// One client connection.
pub struct Client {
    pub stream: BufReader<Stream>,
}

impl Client {
    pub fn connect(port: u16) -> Self {
        Self { stream: BufReader::new(Stream::Plain(tcp(port))) }
    }

    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// When nobody does.
    pub fn try_connect(port: u16) -> io::Result<Self> {
        Ok(Self { stream: BufReader::new(Stream::Plain(try_tcp(port)?)) })
    }

    /// Connects over TLS.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn tls(port: u16, name: &str, connector: &SslConnector) -> Result<Self, String> {
        let stream = connector.connect(name, tcp(port)).map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(Stream::Tls(Box::new(stream))) })
    }

    /// Connects over TLS, if somebody listens and can be trusted.
    pub fn try_tls(port: u16, name: &str, connector: &SslConnector) -> Option<Self> {
        let stream = connector.connect(name, try_tcp(port).ok()?).ok()?;
        Some(Self { stream: BufReader::new(Stream::Tls(Box::new(stream))) })
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())?;
        self.stream.get_mut().flush()
    }

    /// Waits so long for each read.
    pub fn patience(&mut self, patience: Duration) {
        self.stream.get_ref().tcp().set_read_timeout(Some(patience)).unwrap();
    }

    /// Reads the head of a final answer, informational ones skipped.
    ///
    /// # Errors
    /// When there is none.
    pub fn head(&mut self) -> io::Result<Response> {
        loop {
            let head = message::head(&mut self.stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if head.status() >= 200 || head.status() == 101 {
                return Ok(head);
            }
        }
    }

    /// Reads the next answer whole.
    ///
    /// # Errors
    /// When it breaks off.
    pub fn answer(&mut self, method: &str) -> io::Result<Response> {
        let mut head = self.head()?;
        let bodiless = method == "HEAD" || matches!(head.status(), 101 | 204 | 304);
        let framing = if bodiless { Framing::Length(0) } else { message::framing(&head, Framing::UntilClose)? };
        head.body = message::body(&mut self.stream, framing)?;
        Ok(head)
    }

    /// Sends a request and reads its answer. `fields` are whole lines without their ends.
    ///
    /// # Errors
    /// When the answer is not whole.
    pub fn ask(&mut self, method: &str, target: &str, fields: &[&str], body: &[u8]) -> io::Result<Response> {
        self.write(request(method, target, fields, body))?;
        self.answer(method)
    }

    /// Everything until the peer closes or is silent for the patience given.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = self.stream.read(&mut piece) {
            bytes.extend_from_slice(&piece[..n]);
        }
        bytes
    }

    /// Whether the peer closes before it says anything more.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(n) => n == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let _ = self.stream.get_ref().tcp().shutdown(Shutdown::Write);
    }
}

fn tcp(port: u16) -> TcpStream {
    try_tcp(port).unwrap_or_else(|error| panic!("port {port}: {error}"))
}

fn try_tcp(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request as bytes: `Host` unless one is given, and a length when there is a body.
pub fn request(method: &str, target: &str, fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !fields.iter().any(|field| field.to_ascii_lowercase().starts_with("host:")) {
        text.push_str("Host: localhost\r\n");
    }
    for field in fields {
        text.push_str(field);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// One GET on a connection of its own.
pub fn get(port: u16, target: &str) -> Response {
    send(port, "GET", target, &[], b"")
}

/// One request on a connection of its own.
///
/// # Panics
/// When there is no whole answer.
pub fn send(port: u16, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Response {
    Client::connect(port).ask(method, target, fields, body).unwrap_or_else(|error| panic!("{method} {target}: {error}"))
}
