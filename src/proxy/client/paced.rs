//! The stream of a client's connection, with its deadlines.
//!
//! The engine limits the time of each read, but not of a head as a whole, nor the pace of a body. Here the first byte of a head must
//! come within the idle time and the rest within the head's own time; a body must keep a minimum pace after some grace; and a client
//! that reads nothing of its answer for too long is cut off. HTTP/2 multiplexes, so its streams have no pace here: the engine's idle
//! time ends a connection without open streams, and its write time one that stalls.
//!
//! Each direction has one timer. It is set at the first wait and checked when it fires: most deadlines have moved on by then.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    connection::{Connection, Phase, Turn, phase_of},
    timer::Timer,
};
use crate::{
    proxy::{
        server::pressure::Pressure,
        wire::{Http2, Messages, PREFACE},
    },
    telemetry::{CLIENTS, LimitCounters},
};
use async_trait::async_trait;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest, UniqueID,
    UniqueIDType,
    raw_connect::ProxyDigest,
    tls::{SslDigest, TlsRef},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf},
    time::Instant,
};

/// Bytes that are buffered before they are sent. The engine flushes when no more come.
const WRITE_BUFFER: usize = 4 << 10;

/// How long a body may take before its pace counts.
const BODY_GRACE: Duration = Duration::from_secs(10);

/// How often a stalled client is checked.
const LOOK: Duration = Duration::from_secs(1);

/// How long a body of so many bytes may take; `None` without a minimum pace.
pub fn allowance(bytes: u64, pace: u64) -> Option<Duration> {
    Some(BODY_GRACE + Duration::from_secs(bytes.checked_div(pace)?))
}

/// Deadlines of a stream.
#[derive(Clone, Debug)]
pub struct Deadlines {
    /// Total time of a header from its first byte.
    pub header: Duration,
    /// Bytes a second of a body.
    pub body_pace: u64,
    /// How long a connection may be idle between requests.
    pub idle: Duration,
    /// How long the client may read nothing of an answer.
    pub write: Duration,
    /// How many control frames an HTTP/2 client may send ahead of its answers.
    pub control_frames: u32,
    /// Whether resources are short.
    pub pressure: Arc<Pressure>,
    /// Where breaches are counted.
    pub counters: Arc<LimitCounters>,
}

/// A stream that keeps the deadlines of its connection.
pub struct PacedStream {
    /// Buffered, as in the engine's own listeners: head and body of a short answer are sent in one piece.
    inner: BufWriter<Stream>,
    connection: Arc<Connection>,
    digest: Arc<ProxyDigest>,
    deadlines: Deadlines,
    seen: Turn,
    /// Bytes of this turn.
    bytes: u64,
    /// Since when a read waits: for the first byte of a head, then for the rest, or for a body. A body is not slow while nobody reads it.
    /// `None` until a read finds nothing.
    waiting: Option<Instant>,
    /// How long reads have waited for the body before.
    waited: Duration,
    timer: Option<Timer>,
    /// Since when the client reads nothing.
    standing: Option<Instant>,
    write_timer: Option<Timer>,
    wire: Wire,
}

/// What the bytes are.
enum Wire {
    Http1(Messages),
    Http2(Http2),
}

impl PacedStream {
    /// Wraps a stream; `digest` carries the connection to the requests.
    pub fn new(inner: Stream, connection: Arc<Connection>, digest: Arc<ProxyDigest>, deadlines: Deadlines) -> Self {
        // The preface is owed from the start.
        let multiplexed = connection.is_multiplexed();
        let waiting = multiplexed.then(Instant::now);
        let wire = if multiplexed { Wire::Http2(Http2::new(deadlines.control_frames)) } else { Wire::Http1(Messages::default()) };
        Self {
            inner: BufWriter::with_capacity(WRITE_BUFFER, inner),
            connection,
            digest,
            deadlines,
            seen: Phase::Header as Turn,
            bytes: 0,
            waiting,
            waited: Duration::ZERO,
            timer: None,
            standing: None,
            write_timer: None,
            wire,
        }
    }

    /// What must come next. On HTTP/2 that is the preface, within the time of a head, and then anything.
    fn turn(&self) -> Turn {
        let turn = self.connection.turn();
        let preface = self.connection.is_multiplexed() && phase_of(self.seen) == Phase::Header && self.bytes < PREFACE;
        if preface { self.seen } else { turn }
    }

    fn follow(&mut self, turn: Turn) {
        if self.seen != turn {
            self.seen = turn;
            self.bytes = 0;
            self.waiting = None;
            self.waited = Duration::ZERO;
            if let (Wire::Http1(messages), Phase::Header) = (&mut self.wire, phase_of(turn)) {
                messages.next();
            }
        }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Http1(messages) => messages.poll_read(&mut self.inner, &self.connection, cx, buf),
            Wire::Http2(http2) => {
                let before = buf.filled().len();
                ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
                if http2.came(&buf.filled()[before..]) { Poll::Ready(Ok(())) } else { Poll::Ready(Err(self.too_much(cx))) }
            }
        }
    }

    /// Ends a connection whose client floods it with control frames.
    fn too_much(&mut self, cx: &mut Context<'_>) -> io::Error {
        self.deadlines.counters.h2_control_frames.inc();
        let client = self.connection.address;
        log::warn!(target: CLIENTS, "{client} sent more control frames than limits.h2_control_frames; the connection is closed");
        if let Wire::Http2(http2) = &self.wire
            && let Some(goodbye) = http2.goodbye()
        {
            // What finds no room at once is not sent: nobody waits for such a client.
            if Pin::new(&mut self.inner).poll_write(cx, goodbye).is_ready() {
                let _ = Pin::new(&mut self.inner).poll_flush(cx);
            }
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, "the client sends too many control frames")
    }

    fn came(&mut self, bytes: u64) {
        match phase_of(self.seen) {
            // The time of the rest begins.
            Phase::Header if self.is_idle() => {
                self.waiting = Some(Instant::now());
                self.connection.presence.request_begins();
            }
            Phase::Header | Phase::Free => {}
            Phase::Body => self.waited += self.waiting.take().map_or(Duration::ZERO, |since| since.elapsed()),
        }
        self.bytes += bytes;
    }

    /// Whether nothing of the next request has come.
    fn is_idle(&self) -> bool {
        phase_of(self.seen) == Phase::Header && self.bytes == 0 && !self.connection.is_multiplexed()
    }

    /// When the client must have sent more.
    fn deadline(&self) -> Option<Instant> {
        match phase_of(self.seen) {
            Phase::Header if self.bytes == 0 && !self.connection.is_multiplexed() => Some(self.waiting? + self.deadlines.idle),
            Phase::Header => Some(self.waiting? + self.deadlines.header),
            Phase::Body => Some(self.waiting? + allowance(self.bytes, self.deadlines.body_pace)?.saturating_sub(self.waited)),
            Phase::Free => None,
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.deadline() else { return Poll::Pending };
        if !Timer::is_over(&mut self.timer, deadline, cx) {
            return Poll::Pending;
        }
        Poll::Ready(Err(self.too_slow()))
    }

    /// The result of a write, or an error when the client has read nothing for too long.
    fn paced<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.standing = None;
            return written;
        }
        let since = *self.standing.get_or_insert_with(Instant::now);
        // How long it may stand may change meanwhile.
        let end = || since + self.deadlines.pressure.patience(self.deadlines.write);
        loop {
            if !Timer::is_over(&mut self.write_timer, end().min(Instant::now() + LOOK), cx) {
                return Poll::Pending;
            }
            if Instant::now() >= end() {
                break;
            }
        }
        self.deadlines.counters.write_time.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no more")))
    }

    fn wrote<'b>(&mut self, pieces: impl IntoIterator<Item = &'b [u8]>, written: &Poll<io::Result<usize>>) {
        let (Wire::Http2(http2), Poll::Ready(Ok(written))) = (&mut self.wire, written) else { return };
        let mut left = *written;
        for piece in pieces {
            let piece = &piece[..piece.len().min(left)];
            left -= piece.len();
            self.deadlines.counters.h2_streams.inc_by(http2.wrote(piece));
        }
    }

    fn too_slow(&self) -> io::Error {
        let counters = &self.deadlines.counters;
        match phase_of(self.seen) {
            Phase::Header if self.bytes == 0 && !self.connection.is_multiplexed() => counters.idle_time.inc(),
            Phase::Header => counters.header_time.inc(),
            _ => counters.body_pace.inc(),
        }
        io::Error::new(io::ErrorKind::TimedOut, "the client is too slow")
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.follow(this.turn());
        let before = buf.filled().len();
        let continued = this.bytes > 0;
        match this.poll_bytes(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.came((buf.filled().len() - before) as u64);
                // Who drips finds the timer only now and then.
                if continued && this.deadline().is_some_and(|deadline| deadline < Instant::now()) {
                    return Poll::Ready(Err(this.too_slow()));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                if matches!(this.wire, Wire::Http2(_)) && this.connection.is_cut(cx) {
                    this.deadlines.counters.write_time.inc();
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no more")));
                }
                if this.is_idle() && this.connection.presence.leaves(this.inner.get_ref().id(), cx) {
                    // As if the client had left.
                    return Poll::Ready(Ok(()));
                }
                if phase_of(this.seen) != Phase::Free {
                    this.waiting.get_or_insert_with(Instant::now);
                }
                this.poll_deadline(cx)
            }
            failed => failed,
        }
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote([buf], &written);
        self.paced(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.paced(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.paced(shut, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(bufs.iter().map(|buf| &**buf), &written);
        self.paced(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

impl std::fmt::Debug for PacedStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PacedStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}

#[async_trait]
impl Shutdown for PacedStream {
    async fn shutdown(&mut self) {
        // A peer that is gone takes no more bytes; the socket is closed all the same.
        let _ = self.inner.flush().await;
        Shutdown::shutdown(&mut **self.inner.get_mut()).await;
    }
}

impl UniqueID for PacedStream {
    fn id(&self) -> UniqueIDType {
        self.inner.get_ref().id()
    }
}

impl Ssl for PacedStream {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ref().get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ref().get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.get_ref().selected_alpn_proto()
    }
}

impl GetTimingDigest for PacedStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_ref().get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_ref().get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_ref().get_write_pending_time()
    }
}

impl GetProxyDigest for PacedStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.digest.clone())
    }
}

impl GetSocketDigest for PacedStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_ref().get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.inner.get_mut().set_socket_digest(digest);
    }
}

/// Peeking is not offered: the engine would wait for the 24 bytes of the HTTP/2 preface, which a short HTTP/1 request never
/// sends. Which protocol is spoken follows from the listener.
impl Peek for PacedStream {}

/// A boxed stream from a paced one.
pub fn boxed(stream: impl IO + 'static) -> Stream {
    Box::new(stream)
}

#[cfg(test)]
#[path = "tests/paced.rs"]
mod tests;
