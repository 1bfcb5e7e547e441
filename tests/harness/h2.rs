//! HTTP/2 frames by hand (RFC 9113): header blocks are literals without indexing and without Huffman coding.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use crate::client::{Client, Stream};

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// One frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Status of an answer, when it is one that the static table has; 0 for any other.
    pub fn status(&self) -> u16 {
        match self.payload.first() {
            Some(first @ 0x88..=0x8e) => [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)],
            _ => 0,
        }
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// A connection that has shaken hands.
pub struct H2 {
    stream: Stream,
    statuses: BTreeMap<u32, u16>,
    ended: BTreeMap<u32, Outcome>,
}

impl H2 {
    /// Sends the preface and empty settings over a fresh connection.
    ///
    /// # Errors
    /// When the peer hangs up.
    pub fn start(client: Client) -> io::Result<Self> {
        let mut h2 = Self { stream: client.stream.into_inner(), statuses: BTreeMap::new(), ended: BTreeMap::new() };
        h2.stream.write_all(PREFACE)?;
        h2.send(SETTINGS, 0, 0, &[])?;
        Ok(h2)
    }

    pub fn patience(&mut self, patience: std::time::Duration) {
        self.stream.tcp().set_read_timeout(Some(patience)).unwrap();
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame(kind, flags, stream, payload))?;
        self.stream.flush()
    }

    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Throws away what has come so far.
    ///
    /// # Errors
    /// When the peer has hung up.
    pub fn discard(&mut self) -> io::Result<()> {
        self.patience(std::time::Duration::from_millis(1));
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// A whole GET with further fields.
    pub fn get(&mut self, stream: u32, path: &str, more: &[(&str, &str)]) -> io::Result<()> {
        let mut fields = vec![(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
        fields.extend_from_slice(more);
        self.headers(stream, &fields, true)
    }

    /// Header fields as they are, split into CONTINUATION frames when they are large.
    pub fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) -> io::Result<()> {
        let block = block(fields);
        let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
        let mut bytes = Vec::new();
        for (i, piece) in pieces.iter().enumerate() {
            let kind = if i == 0 { HEADERS } else { CONTINUATION };
            let mut flags = if i + 1 == pieces.len() { END_HEADERS } else { 0 };
            if i == 0 && end {
                flags |= END_STREAM;
            }
            bytes.extend(frame(kind, flags, stream, piece));
        }
        self.send_raw(&bytes)
    }

    /// The next frame; settings and pings are acknowledged on the way.
    ///
    /// # Errors
    /// When the peer hangs up or is silent.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
            let payload = if frame.kind == PING { frame.payload.clone() } else { Vec::new() };
            self.send(frame.kind, ACK, 0, &payload)?;
        }
        Ok(frame)
    }

    /// What becomes of a stream: the status of its answer once it has ended, or how it was refused. Streams end in any order:
    /// what is seen of others on the way is kept for when they are asked for.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            if let Some(outcome) = self.ended.remove(&stream) {
                return outcome;
            }
            match self.frame() {
                Ok(frame) if frame.kind == GOAWAY => return Outcome::GoAway(frame.error()),
                Ok(frame) => self.follow(&frame),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Outcome::Silence,
                Err(_) => return Outcome::Closed,
            }
        }
    }

    fn follow(&mut self, frame: &Frame) {
        let status = self.statuses.get(&frame.stream).copied();
        match frame.kind {
            RST_STREAM => {
                let outcome = status.map_or(Outcome::Reset(frame.error()), Outcome::Answered);
                self.ended.entry(frame.stream).or_insert(outcome);
                return;
            }
            HEADERS if status.is_none() => {
                self.statuses.insert(frame.stream, frame.status());
            }
            DATA if !frame.payload.is_empty() => {
                let size = (frame.payload.len() as u32).to_be_bytes();
                let _ = self.send(WINDOW_UPDATE, 0, 0, &size);
                let _ = self.send(WINDOW_UPDATE, 0, frame.stream, &size);
            }
            _ => {}
        }
        if frame.ends_stream() {
            let status = self.statuses.get(&frame.stream).copied().unwrap_or(0);
            self.ended.insert(frame.stream, Outcome::Answered(status));
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer; 0 for a status that is not in the static table.
    Answered(u16),
    Reset(u32),
    GoAway(u32),
    Closed,
    Silence,
}

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals (RFC 7541 §6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        text(&mut bytes, name);
        text(&mut bytes, value);
    }
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = text.len();
    if length < 127 {
        bytes.push(length as u8);
    } else {
        bytes.push(127);
        let mut left = length - 127;
        while left >= 128 {
            bytes.push((left % 128) as u8 | 128);
            left /= 128;
        }
        bytes.push(left as u8);
    }
    bytes.extend_from_slice(text.as_bytes());
}
