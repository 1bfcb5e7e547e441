//! What the engine reads of an HTTP/1 connection: one message at a time.
//!
//! What has come of the next message is held, and nothing more is read before the engine has taken it, so a client that sends faster
//! than it is answered is stopped by TCP. While an answer is on its way the engine looks for a client that hangs up; it is told of one
//! as long as nothing of the next message has come.

use std::{
    cmp::min,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use crate::judge::framing::Framing;

use super::message::{Message, Share};
use crate::proxy::client::connection::Connection;

/// Most bytes that are read at once where the next message may begin, and so the most that is held.
const MOST: usize = 16 << 10;

/// Bytes of empty lines after which the client is no longer watched.
const BLANK: usize = 8;

/// The messages of one connection.
#[derive(Debug, Default)]
pub struct Messages {
    message: Message,
    /// What has come of later messages, and how much of it was taken.
    held: Vec<u8>,
    taken: usize,
}

impl Messages {
    /// The engine has done with a message, and awaits the next.
    pub fn next(&mut self) {
        self.message.next();
    }

    /// Reads what belongs to the message at hand. `connection` is told how it ends.
    ///
    /// # Errors
    /// The stream's, and when the bytes do not go on with the message.
    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        // To give nothing means the end of the stream, so it goes on past empty lines.
        while buf.filled().len() == before {
            if let Some(why) = self.message.refused() {
                connection.framed(Framing::Malformed(why));
                return Poll::Ready(Err(why.into()));
            }
            let came = if self.message.is_over() {
                return self.poll_after(stream, connection, cx, buf);
            } else if self.taken < self.held.len() {
                self.give_held(connection, buf)
            } else if self.message.may_end() && buf.remaining() > MOST {
                ready!(self.poll_some(stream, connection, cx, buf))?
            } else {
                ready!(self.poll_whole(stream, connection, cx, buf))?
            };
            if came == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn follow(message: &mut Message, connection: &Connection, bytes: &[u8]) -> Share {
        let share = message.follow(bytes);
        if let Some((framing, head)) = share.framing {
            connection.framed(framing);
            connection.head(head);
        }
        share
    }

    fn give_held(&mut self, connection: &Connection, buf: &mut ReadBuf<'_>) -> usize {
        let bytes = &self.held[self.taken..];
        let bytes = &bytes[..min(bytes.len(), buf.remaining())];
        let share = Self::follow(&mut self.message, connection, bytes);
        buf.put_slice(&bytes[share.skipped..][..share.taken]);
        self.taken += share.skipped + share.taken;
        let came = bytes.len();
        if self.taken == self.held.len() {
            (self.held, self.taken) = (Vec::new(), 0);
        }
        came
    }

    /// Reads no more than may be held.
    fn poll_some<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut some = [const { MaybeUninit::uninit() }; MOST];
        let mut some = ReadBuf::uninit(&mut some);
        ready!(Pin::new(stream).poll_read(cx, &mut some))?;
        let bytes = some.filled();
        let share = Self::follow(&mut self.message, connection, bytes);
        let (own, later) = bytes[share.skipped..].split_at(share.taken);
        buf.put_slice(own);
        self.held.extend_from_slice(later);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Reads as much as there is room for.
    fn poll_whole<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        let bytes = &mut buf.filled_mut()[before..];
        let came = bytes.len();
        let share = Self::follow(&mut self.message, connection, bytes);
        let end = share.skipped + share.taken;
        self.held.extend_from_slice(&bytes[end..]);
        if share.skipped > 0 {
            bytes.copy_within(share.skipped..end, 0);
        }
        buf.set_filled(before + share.taken);
        Poll::Ready(Ok(came))
    }

    /// After the end of a message: waits for the client to hang up.
    fn poll_after<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        connection: &Connection,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if connection.is_tunnel() {
            return self.poll_tunnel(stream, cx, buf);
        }
        let before = buf.filled().len();
        while self.is_blank() {
            ready!(Pin::new(&mut *stream).poll_read(cx, buf))?;
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(bytes);
            buf.set_filled(before);
        }
        // Whoever polls is woken by what he does meanwhile: he writes an answer.
        Poll::Pending
    }

    /// Nothing has come of the next message, or a few empty lines, which say nothing.
    fn is_blank(&self) -> bool {
        let held = &self.held[self.taken..];
        held.len() < BLANK && held.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// What follows the answer 101 is no message.
    fn poll_tunnel<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let held = &self.held[self.taken..];
        if held.is_empty() {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let some = min(held.len(), buf.remaining());
        buf.put_slice(&held[..some]);
        self.taken += some;
        Poll::Ready(Ok(()))
    }
}
