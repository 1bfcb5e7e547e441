//! One connection while an exchange uses it.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use memchr::memmem::Finder;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take},
    net::TcpStream,
    time::Instant,
};

use super::{
    flow::Flow,
    pool::{Limits, Pool},
};
use crate::proxy::{
    client::{connection::Connection, timer::Timer},
    server::pressure::Step,
    transport::upstream_connections::Followed,
};

/// Room that the engine offers when it only asks whether a connection may be kept: it awaits that nothing comes. It reads heads and
/// bodies with more.
const PROBE: usize = 1;

/// How often a client that takes nothing is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A connection, with what is kept of it between exchanges.
#[derive(Debug)]
pub struct Line {
    /// Before the socket, whose number may be another's once it is closed.
    pub(super) followed: Followed,
    stream: Take<TcpStream>,
    pub(super) flow: Arc<Flow>,
    timer: Option<Timer>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, followed: Followed, flow: Flow) -> Self {
        Self { followed, stream: stream.take(0), flow: Arc::new(flow), timer: None }
    }

    /// Whether nothing came and nobody closed it.
    pub(super) fn is_quiet(&self) -> bool {
        let read = self.stream.get_ref().try_read(&mut [0; PROBE]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A connection in the hands of the engine. When an exchange has ended well, it goes back to its pool.
#[derive(Debug)]
pub struct Link {
    /// None once it has gone back.
    line: Option<Line>,
    pool: Arc<Pool>,
    address: SocketAddr,
    client: Arc<Connection>,
    /// Since when the upstream is silent, or the client takes nothing.
    waiting: Option<Instant>,
    /// The end of what was read of a head, which may hold a part of its end.
    tail: [u8; 3],
}

impl Link {
    pub(super) fn new(line: Line, pool: Arc<Pool>, address: SocketAddr, client: Arc<Connection>) -> Self {
        Self { line: Some(line), pool, address, client, waiting: None, tail: [0; 3] }
    }

    /// The engine asks whether the connection may be kept. It may, and is kept here: for the engine it has ended.
    fn rest(&mut self) {
        if let Some(line) = self.line.take_if(|line| line.is_quiet()) {
            line.flow.rest();
            self.pool.keep(line, self.address);
        }
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() == PROBE {
            this.rest();
            return Poll::Ready(Ok(()));
        }
        let Some(line) = &mut this.line else { return Poll::Ready(Ok(())) };
        let mut allowed = line.flow.allowed();
        if allowed == 0 {
            line.flow.reader().register(cx.waker());
            // The client may have taken something just before.
            allowed = line.flow.allowed();
            if allowed == 0 {
                if this.waiting.is_none() {
                    line.flow.full();
                }
                let since = *this.waiting.get_or_insert_with(Instant::now);
                if !is_given_up(line, this.pool.limits(), &this.client, since, cx) {
                    return Poll::Pending;
                }
                this.waiting = None;
                line.flow.passed();
                allowed = line.flow.allowed();
            }
        }
        line.stream.set_limit(allowed as u64);
        let before = buf.filled().len();
        match Pin::new(&mut line.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.waiting = None;
                let read = &buf.filled()[before..];
                let of_body = if line.flow.in_head() { after_head(&mut this.tail, read, &line.flow) } else { read.len() };
                line.flow.handed_over(of_body);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                let since = *this.waiting.get_or_insert_with(Instant::now);
                if Timer::is_over(&mut line.timer, since + this.pool.limits().read, cx) {
                    line.flow.silent();
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the upstream is silent")));
                }
                Poll::Pending
            }
            failed => failed,
        }
    }
}

/// Whether the client was waited for as long as an upstream is. Then what was handed over may hold no piece of the answer, but long
/// names of chunks, and more is needed. A client that is waited for too long when there is need to hurry is cut off.
fn is_given_up(line: &mut Line, limits: &Limits, client: &Connection, since: Instant, cx: &mut Context<'_>) -> bool {
    loop {
        let now = Instant::now();
        if limits.pressure.step() >= Step::Hurry && now >= since + limits.pressure.patience(limits.write) {
            client.cut();
        }
        if now >= since + limits.read {
            return true;
        }
        if !Timer::is_over(&mut line.timer, (since + limits.read).min(now + LOOK), cx) {
            return false;
        }
    }
}

/// How many of the bytes come after a head's end, if that is among them. A head that ends without carriage returns is not seen: such
/// an answer is not held back.
fn after_head(tail: &mut [u8; 3], read: &[u8], flow: &Flow) -> usize {
    static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    let mut seam = [0; 6];
    let (kept, new) = seam.split_at_mut(tail.len());
    kept.copy_from_slice(tail);
    let first = read.len().min(new.len());
    new[..first].copy_from_slice(&read[..first]);
    let end = END.find(&seam[..3 + first]).map(|at| at + 1).or_else(|| END.find(read).map(|at| at + 4));
    match end {
        Some(end) => {
            *tail = [0; 3];
            flow.in_body();
            read.len() - end
        }
        None => {
            let last = read.len().min(3);
            tail.rotate_left(last);
            tail[3 - last..].copy_from_slice(&read[read.len() - last..]);
            0
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(line) = &mut this.line else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let written = ready!(Pin::new(line.stream.get_mut()).poll_write(cx, buf));
        // While the request goes out, the upstream may well be silent.
        this.waiting = None;
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().line {
            Some(line) => Pin::new(line.stream.get_mut()).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl VirtualSocket for Link {
    /// Options are set when the connection is made.
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}
