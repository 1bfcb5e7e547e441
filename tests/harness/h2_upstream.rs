//! An upstream that speaks HTTP/2 and nothing else. It answers every stream with 200 and the number of bytes it got; header
//! blocks are counted, not decoded.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use openssl::ssl::SslAcceptor;

use crate::{
    client::Stream,
    h2::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, WINDOW_UPDATE, frame},
    ports::listener,
};

/// The server.
pub struct H2Upstream {
    pub port: u16,
    streams: Arc<AtomicUsize>,
}

impl H2Upstream {
    /// With prior knowledge, or over TLS when there is an acceptor.
    pub fn start(acceptor: Option<SslAcceptor>) -> Self {
        Self::serve(acceptor, None)
    }

    /// Answers the first stream of a connection with a head at once, and one byte of a body after each pause, for ever.
    pub fn dripping(pause: Duration) -> Self {
        Self::serve(None, Some(pause))
    }

    fn serve(acceptor: Option<SslAcceptor>, drip: Option<Duration>) -> Self {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(AtomicUsize::new(0));
        let shared = streams.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (streams, acceptor) = (shared.clone(), acceptor.clone());
                thread::spawn(move || connection(stream, acceptor, drip, &streams));
            }
        });
        Self { port, streams }
    }

    /// Streams that were answered.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }
}

fn connection(stream: TcpStream, acceptor: Option<SslAcceptor>, drip: Option<Duration>, streams: &AtomicUsize) -> io::Result<()> {
    let mut stream = match acceptor {
        None => Stream::Plain(stream),
        Some(acceptor) => Stream::Tls(Box::new(acceptor.accept(stream).map_err(io::Error::other)?)),
    };
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)?;
    if preface != PREFACE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    let mut bytes: HashMap<u32, usize> = HashMap::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload)?;
        let (kind, flags, id) = (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        match kind {
            SETTINGS if flags & 1 == 0 => stream.write_all(&frame(SETTINGS, 1, 0, &[]))?,
            PING if flags & 1 == 0 => stream.write_all(&frame(PING, 1, 0, &payload))?,
            GOAWAY => return Ok(()),
            DATA if !payload.is_empty() => {
                *bytes.entry(id).or_default() += payload.len();
                let size = (payload.len() as u32).to_be_bytes();
                stream.write_all(&[frame(WINDOW_UPDATE, 0, 0, &size), frame(WINDOW_UPDATE, 0, id, &size)].concat())?;
            }
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            streams.fetch_add(1, Ordering::Relaxed);
            if let Some(pause) = drip {
                stream.write_all(&frame(HEADERS, END_HEADERS, id, &[0x88]))?;
                loop {
                    thread::sleep(pause);
                    stream.write_all(&frame(DATA, 0, id, b"x"))?;
                }
            }
            let body = format!("{} bytes over h2", bytes.remove(&id).unwrap_or(0));
            // `:status 200` is entry 8 of the static table.
            stream.write_all(&[frame(HEADERS, END_HEADERS, id, &[0x88]), frame(DATA, END_STREAM, id, body.as_bytes())].concat())?;
        }
    }
}
