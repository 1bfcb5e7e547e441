//! One connection: bytes in and out, heartbeats, deadlines. Knows no protocol.
//!
//! Memory is bounded by the decoders: each must refuse a frame that is over its limit before the frame is complete.
//! A broker that says nothing, or takes nothing, is given up after a time.

use std::{io, pin::Pin, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tollgate_outbound::tls;

use crate::{
    endpoint::Endpoint,
    failure::{Broken, Lost},
    settings::Settings,
};

/// How long a connection may take until the subscription is confirmed, and each step of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Least room for one read.
const ROOM: usize = 8 << 10;
/// Answers wait for each other up to this size.
const OUTBOX: usize = 16 << 10;
/// Longest message that is left out; behind a longer one nothing more would be heard for too long.
pub(crate) const MAX_SKIPPED: usize = 64 << 20;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

pub(crate) trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// What we say when we have said nothing for a while.
struct Beat {
    bytes: &'static [u8],
    every: Duration,
    due: Instant,
}

/// A connection to a broker.
pub(crate) struct Wire {
    stream: Pin<Box<dyn Io>>,
    inbox: BytesMut,
    outbox: BytesMut,
    beat: Option<Beat>,
    last_received: Instant,
    silence: Duration,
    farewell: Bytes,
}

impl Wire {
    pub(crate) async fn connect(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Lost> {
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(Lost::Connect)?;
        tcp.set_nodelay(true).map_err(Lost::Connect)?;
        if !endpoint.secure {
            return Ok(Self::over(tcp));
        }
        let stream = tls::handshake(&settings.files(), &endpoint.host, &[], tcp).await.map_err(|failure| match failure {
            tls::Failure::Files(problem) => Lost::Trust(problem),
            tls::Failure::Handshake(cause) => Lost::Tls(cause),
        })?;
        Ok(Self::over(stream))
    }

    pub(crate) fn over(stream: impl Io + 'static) -> Self {
        Self {
            stream: Box::pin(stream),
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            beat: None,
            last_received: Instant::now(),
            silence: PATIENCE,
            farewell: Bytes::new(),
        }
    }

    /// From now on says `bytes` when nothing else was said for `every`.
    pub(crate) fn beat(&mut self, bytes: &'static [u8], every: Duration) {
        self.beat = Some(Beat { bytes, every, due: Instant::now() + every });
    }

    /// From now on says nothing of its own accord.
    pub(crate) fn stop_beating(&mut self) {
        self.beat = None;
    }

    /// From now on gives up when nothing is heard for this time.
    pub(crate) fn expect_every(&mut self, silence: Duration) {
        self.silence = silence;
        self.last_received = Instant::now();
    }

    /// What to say when we go.
    pub(crate) fn on_farewell(&mut self, bytes: impl Into<Bytes>) {
        self.farewell = bytes.into();
    }

    /// The next frame. What was [queued](Self::queue) is sent before anything is waited for. Not to be dropped and called
    /// again: what is half sent would stay so.
    pub(crate) async fn next<F>(&mut self, decode: impl Fn(&mut BytesMut) -> Result<Option<F>, Broken>) -> Result<F, Lost> {
        loop {
            if let Some(frame) = decode(&mut self.inbox)? {
                return Ok(frame);
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// Leaves out so many bytes.
    pub(crate) async fn skip(&mut self, mut count: usize) -> Result<(), Lost> {
        loop {
            let here = count.min(self.inbox.len());
            self.inbox.advance(here);
            count -= here;
            if count == 0 {
                return Ok(());
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// Leaves out everything up to a byte and that one too, which has to come within `most` bytes.
    pub(crate) async fn skip_past(&mut self, byte: u8, mut most: usize) -> Result<(), Lost> {
        loop {
            let here = self.inbox.len();
            if let Some(place) = memchr::memchr(byte, &self.inbox) {
                self.inbox.advance(place + 1);
                return Ok(());
            }
            most = most.checked_sub(here).ok_or(Broken("a message without an end"))?;
            self.inbox.clear();
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// Waits for bytes, and says a heartbeat when one is due.
    async fn fill(&mut self) -> Result<(), Lost> {
        self.inbox.reserve(ROOM);
        let silent = self.last_received + self.silence;
        let due = self.beat.as_ref().map(|beat| beat.due);
        tokio::select! {
            read = self.stream.read_buf(&mut self.inbox) => match read {
                Ok(0) => return Err(Lost::Closed),
                Ok(_) => self.last_received = Instant::now(),
                Err(error) if is_end(&error) => return Err(Lost::Closed),
                Err(error) => return Err(Lost::Io(error)),
            },
            () = sleep_until(silent) => return Err(Lost::Silent(self.silence)),
            () = sleep_until(due.unwrap_or(silent)), if due.is_some() => {
                let bytes = self.beat.as_ref().map_or(&b""[..], |beat| beat.bytes);
                self.send(bytes).await?;
            }
        }
        Ok(())
    }

    /// Sends before anything is read again, together with what else is waiting.
    pub(crate) async fn queue(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.outbox.extend_from_slice(bytes);
        if self.outbox.len() >= OUTBOX { self.flush().await } else { Ok(()) }
    }

    /// Sends now.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.outbox.extend_from_slice(bytes);
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Lost> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        let (stream, outbox) = (&mut self.stream, &self.outbox);
        let write = async {
            stream.write_all(outbox).await?;
            stream.flush().await
        };
        match timeout(self.silence, write).await {
            Err(_) => return Err(Lost::Stuck(self.silence)),
            Ok(Err(error)) if is_end(&error) => return Err(Lost::Closed),
            Ok(Err(error)) => return Err(Lost::Io(error)),
            Ok(Ok(())) => (),
        }
        self.outbox.clear();
        if let Some(beat) = &mut self.beat {
            beat.due = Instant::now() + beat.every;
        }
        Ok(())
    }

    /// Says goodbye as well as that can be done in half a second.
    pub(crate) async fn farewell(&mut self) {
        let bytes = std::mem::take(&mut self.farewell);
        let goodbye = async {
            let _ = self.stream.write_all(&bytes).await;
            let _ = self.stream.shutdown().await;
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
