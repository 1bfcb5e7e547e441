//! One request after the other, followed through its bytes.

use std::cmp::min;

use crate::judge::framing::{Framing, Malformed};

use super::{chunks::Chunks, head::Head};

/// Empty lines before a request line that are ignored. Some clients send one after a body (RFC 9112 §2.2).
const EMPTY_LINES: u8 = 4;

/// What some bytes are to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Bytes of empty lines that come before it.
    pub skipped: usize,
    /// Its own bytes, which follow them.
    pub taken: usize,
    /// How it ends, and how many bytes its head has, if that ends among them.
    pub framing: Option<(Framing, usize)>,
}

/// Where a message stands.
#[derive(Debug, Default)]
pub struct Message {
    state: State,
    empty: EmptyLines,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing has come but empty lines.
    #[default]
    Awaited,
    Head(Head),
    /// So many bytes of the body are left.
    Body(u64),
    Chunks(Chunks),
    Over,
    Refused(Malformed),
}

impl State {
    fn after_head(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::Over,
            Framing::Length(left) => Self::Body(left),
            Framing::Chunked => Self::Chunks(Chunks::default()),
            Framing::Malformed(why) => Self::Refused(why),
        }
    }
}

impl Message {
    /// Follows bytes that come after those before.
    pub fn follow(&mut self, bytes: &[u8]) -> Share {
        let skipped = self.skip(bytes);
        let mut share = Share { skipped, ..Share::default() };
        if let State::Head(head) = &mut self.state {
            let rest = &bytes[skipped..];
            let Some(end) = head.end(rest) else { return Share { taken: rest.len(), ..share } };
            let framing = head.framing();
            share = Share { taken: end, framing: Some((framing, head.bytes())), ..share };
            self.state = State::after_head(framing);
        }
        share.taken += self.body(&bytes[share.skipped + share.taken..]);
        share
    }

    /// Goes past empty lines to the head.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        if !matches!(self.state, State::Awaited) {
            return 0;
        }
        let (skipped, ended) = self.empty.skip(bytes);
        let head = match ended {
            Ok(()) if skipped == bytes.len() => return skipped,
            Ok(()) => Head::default(),
            // The engine reads it all the same, so that it is answered.
            Err(why) => Head::refused(why),
        };
        (self.state, self.empty) = (State::Head(head), EmptyLines::default());
        skipped
    }

    /// How many of these bytes belong to the body; none when they break it.
    fn body(&mut self, bytes: &[u8]) -> usize {
        match &mut self.state {
            State::Body(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| min(left, bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Over;
                }
                taken
            }
            State::Chunks(chunks) => match chunks.follow(bytes) {
                Ok(taken) => {
                    if chunks.is_over() {
                        self.state = State::Over;
                    }
                    taken
                }
                Err(why) => {
                    self.state = State::Refused(why);
                    0
                }
            },
            State::Awaited | State::Head(_) | State::Over | State::Refused(_) => 0,
        }
    }

    /// The next message is awaited.
    pub fn next(&mut self) {
        self.state = match self.state {
            State::Over | State::Awaited => State::Awaited,
            // Whoever believes that it is over has read it otherwise.
            _ => State::Refused(Malformed::Rest),
        };
    }

    /// All of it has come.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Why nothing more of it will be read.
    pub fn refused(&self) -> Option<Malformed> {
        match self.state {
            State::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// Whether bytes of the next message may come with its own: of a body with a length, the engine reads no byte too many.
    pub fn may_end(&self) -> bool {
        !matches!(self.state, State::Body(_))
    }
}

/// The empty lines before a request line.
#[derive(Debug, Default)]
struct EmptyLines {
    seen: u8,
    /// A carriage return has come.
    half: bool,
}

impl EmptyLines {
    /// How many of these bytes are empty lines. It fails when there are too many of them, or when what began like one is none.
    fn skip(&mut self, bytes: &[u8]) -> (usize, Result<(), Malformed>) {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if self.half => *self = Self { seen: self.seen + 1, half: false },
                _ if self.half => return (at, Err(Malformed::LineEnd)),
                b'\r' if self.seen < EMPTY_LINES => self.half = true,
                b'\r' => return (at, Err(Malformed::EmptyLines)),
                _ => return (at, Ok(())),
            }
        }
        (bytes.len(), Ok(()))
    }
}
