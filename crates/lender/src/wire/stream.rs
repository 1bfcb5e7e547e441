//! A stream from which no more is read than was asked for.
//!
//! The crate `redis` gathers an answer in memory however long it is. Each question therefore allows its answer so many bytes, and the
//! connection breaks at the first byte too many, also at one that nobody asked for.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much may still come. Shared by who asks and by the stream.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    bytes: AtomicUsize,
    asked: AtomicUsize,
    passed: AtomicBool,
}

/// A question under way.
pub(crate) struct Allowed<'a>(&'a Allowance);

impl Allowance {
    /// What may come before anything is asked.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes: AtomicUsize::new(bytes), ..Self::default() }
    }

    /// Allows an answer of so many bytes. What earlier answers left over is forgotten as soon as all of them are there.
    pub(crate) fn allow(&self, bytes: usize) -> Allowed<'_> {
        if self.asked.fetch_add(1, SeqCst) == 0 {
            self.bytes.store(bytes, SeqCst);
        } else {
            self.bytes.fetch_add(bytes, SeqCst);
        }
        Allowed(self)
    }

    /// Whether more came, by which the connection ended.
    pub(crate) fn is_passed(&self) -> bool {
        self.passed.load(SeqCst)
    }
}

impl Drop for Allowed<'_> {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, SeqCst);
    }
}

/// A stream with an [`Allowance`] for what is read.
pub(crate) struct Metered<S> {
    stream: S,
    allowance: Arc<Allowance>,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, allowance: Arc<Allowance>) -> Self {
        Self { stream, allowance }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let allowed = self.allowance.bytes.load(SeqCst);
        // One byte more than is allowed, by which the surplus shows.
        let room = buffer.remaining().min(allowed.saturating_add(1));
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        if self.allowance.bytes.fetch_update(SeqCst, SeqCst, |bytes| bytes.checked_sub(read)).is_err() {
            self.allowance.passed.store(true, SeqCst);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "more came than an answer may hold")));
        }
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn no_byte_is_read_beyond_what_was_allowed() {
        let (mut server, client) = duplex(1 << 20);
        let allowance = Arc::new(Allowance::new(3));
        let mut client = Metered::new(client, allowance.clone());
        server.write_all(b"abc").await.unwrap();
        let mut read = [0; 3];
        client.read_exact(&mut read).await.unwrap();

        let first = allowance.allow(2);
        let second = allowance.allow(2);
        server.write_all(b"defg").await.unwrap();
        let mut read = [0; 4];
        client.read_exact(&mut read).await.unwrap();
        drop((first, second));

        drop(allowance.allow(100));
        let third = allowance.allow(5);
        server.write_all(&[b'x'; 1 << 16]).await.unwrap();
        let mut read = Vec::new();
        let error = client.read_to_end(&mut read).await.unwrap_err();
        assert_eq!((error.kind(), read.len()), (io::ErrorKind::InvalidData, 0), "what an answer did not use is not the next one's");
        assert!(allowance.is_passed());
        drop(third);
    }
}
