//! An upstream that writes down every byte it gets and answers what it is told.

use std::{
    io::{self, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use openssl::ssl::SslAcceptor;

use crate::{
    client::Stream,
    message::{self, Framing, Message},
    ports::listener,
    until,
};

/// What comes back for a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Written one after the other, each after its pause.
    pub pieces: Vec<(Duration, Vec<u8>)>,
    /// Close the connection afterwards.
    pub close: bool,
    /// Afterwards hand every byte back, as a tunnel does.
    pub echo: bool,
}

impl Reply {
    /// An answer with a length.
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Self {
        Self::with(status, &[], body)
    }

    /// An answer with further fields, whole lines without their ends.
    pub fn with(status: u16, fields: &[&str], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Status\r\n");
        fields.iter().for_each(|field| head.push_str(&format!("{field}\r\n")));
        if status >= 200 && status != 204 && status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        Self::raw([head.as_bytes(), b"\r\n", body].concat())
    }

    /// Exactly these bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { pieces: vec![(Duration::ZERO, bytes.as_ref().to_vec())], close: false, echo: false }
    }

    /// More bytes, later.
    #[must_use]
    pub fn then(mut self, pause: Duration, bytes: impl AsRef<[u8]>) -> Self {
        self.pieces.push((pause, bytes.as_ref().to_vec()));
        self
    }

    #[must_use]
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Number of the connection, from 0.
    pub connection: usize,
    pub message: Message,
    /// Subject of the client certificate.
    pub client: Option<String>,
    /// The body came to its end.
    pub whole: bool,
}

#[derive(Default)]
struct Records {
    requests: Mutex<Vec<Received>>,
    /// What arrived and was no request.
    broken: Mutex<Vec<String>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

type Answerer = dyn Fn(&Message) -> Reply + Send + Sync;

/// The server; stops accepting when dropped.
pub struct Upstream {
    pub port: u16,
    records: Arc<Records>,
}

impl Upstream {
    /// Answers 200 with the request line it saw.
    pub fn start() -> Self {
        Self::answering(|request| Reply::new(200, format!("saw {}", request.start)))
    }

    /// Answers 200 with a name.
    pub fn named(name: &'static str) -> Self {
        Self::answering(move |_| Reply::with(200, &[&format!("X-Backend: {name}")], name))
    }

    pub fn answering(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, Arc::new(answer))
    }

    pub fn tls(acceptor: SslAcceptor, answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(Some(acceptor), Arc::new(answer))
    }

    fn serve(acceptor: Option<SslAcceptor>, answer: Arc<Answerer>) -> Self {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        let records = Arc::new(Records::default());
        let shared = records.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = shared.connections.fetch_add(1, Ordering::Relaxed);
                let (records, acceptor, answer) = (shared.clone(), acceptor.clone(), answer.clone());
                thread::spawn(move || connection(stream, number, acceptor, &records, &*answer));
            }
        });
        Self { port, records }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn https(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }

    /// Everything that arrived so far.
    pub fn requests(&self) -> Vec<Received> {
        self.records.requests.lock().unwrap().clone()
    }

    /// How many arrived so far.
    pub fn count(&self) -> usize {
        self.records.requests.lock().unwrap().len()
    }

    /// The only request that arrived.
    ///
    /// # Panics
    /// When there was none, or another.
    pub fn only(&self) -> Message {
        let all = until("a request upstream", || Some(self.requests()).filter(|all| !all.is_empty()));
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].message.clone()
    }

    /// What arrived and could not be read as a request, one line each.
    pub fn broken(&self) -> Vec<String> {
        self.records.broken.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.records.connections.load(Ordering::Relaxed)
    }

    pub fn forget(&self) {
        self.records.requests.lock().unwrap().clear();
        self.records.broken.lock().unwrap().clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.records.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn connection(stream: TcpStream, number: usize, acceptor: Option<SslAcceptor>, records: &Records, answer: &Answerer) {
    let mut client = None;
    let stream = match acceptor {
        None => Stream::Plain(stream),
        Some(acceptor) => match acceptor.accept(stream) {
            Ok(stream) => {
                client = stream.ssl().peer_certificate().map(|certificate| format!("{:?}", certificate.subject_name()));
                Stream::Tls(Box::new(stream))
            }
            Err(_) => return,
        },
    };
    let mut stream = BufReader::new(stream);
    loop {
        match exchange(&mut stream, number, &client, records, answer) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                // A gateway may hang up at any time; only bytes that are no request are its fault.
                if error.kind() == io::ErrorKind::InvalidData {
                    records.broken.lock().unwrap().push(error.to_string());
                }
                return;
            }
        }
    }
}

/// One request and its answer; `false` when the connection is over.
fn exchange(
    stream: &mut BufReader<Stream>,
    number: usize,
    client: &Option<String>,
    records: &Records,
    answer: &Answerer,
) -> io::Result<bool> {
    let Some(mut request) = message::head(stream)? else { return Ok(false) };
    let framing = message::framing(&request, Framing::Length(0))?;
    if request.field("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let read = message::body(stream, framing);
    request.body = read.as_ref().cloned().unwrap_or_default();
    records.requests.lock().unwrap().push(Received {
        connection: number,
        message: request.clone(),
        client: client.clone(),
        whole: read.is_ok(),
    });
    read?;
    let reply = answer(&request);
    for (pause, bytes) in &reply.pieces {
        thread::sleep(*pause);
        stream.get_mut().write_all(bytes)?;
        stream.get_mut().flush()?;
    }
    if reply.echo {
        let mut piece = [0; 4096];
        while let n @ 1.. = stream.read(&mut piece)? {
            stream.get_mut().write_all(&piece[..n])?;
        }
    }
    Ok(!reply.close && !reply.echo)
}
