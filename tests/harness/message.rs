//! HTTP/1.1 messages, read strictly: anything that is not exactly as RFC 9112 writes it is an error.

use std::io::{self, Read};

/// A request or an answer as it stood on the wire.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Request line or status line.
    pub start: String,
    /// Fields in order, names as sent.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The bytes of the head.
    pub head: Vec<u8>,
}

impl Message {
    /// The only value of a field.
    ///
    /// # Panics
    /// When there are two.
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} comes {} times: {self:?}", all.len());
        all.first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap()
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("no status line: {:?}", self.start))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads a head; `None` when the peer closed before its first byte.
///
/// # Errors
/// When it breaks off or is malformed.
pub fn head(stream: &mut impl Read) -> io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte)? {
            0 if bytes.is_empty() => return Ok(None),
            0 => return Err(malformed(format!("the head breaks off: {:?}", String::from_utf8_lossy(&bytes)))),
            _ => bytes.push(byte[0]),
        }
        if bytes.len() > 1 << 20 {
            return Err(malformed("the head does not end"));
        }
    }
    parse(bytes).map(Some)
}

fn parse(bytes: Vec<u8>) -> io::Result<Message> {
    let text: String = bytes.iter().map(|&b| char::from(b)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(format!("no field: {line:?}")))?;
        if name.is_empty() || name.contains([' ', '\t']) || line.contains(['\n', '\r', '\0']) {
            return Err(malformed(format!("a malformed field: {line:?}")));
        }
        fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    Ok(Message { start, fields, body: Vec::new(), head: bytes })
}

/// How a message's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the head says about its body.
///
/// # Errors
/// When it says two things, or none that is understood.
pub fn framing(message: &Message, without: Framing) -> io::Result<Framing> {
    match (message.all("content-length").as_slice(), message.all("transfer-encoding").as_slice()) {
        ([], []) => Ok(without),
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            length.parse().map(Framing::Length).map_err(|_| malformed("a length beyond measure"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        other => Err(malformed(format!("ambiguous framing {other:?}"))),
    }
}

/// Reads a body.
///
/// # Errors
/// When it breaks off or is malformed.
pub fn body(stream: &mut impl Read, framing: Framing) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match framing {
        Framing::Length(length) => {
            bytes.resize(usize::try_from(length).unwrap(), 0);
            stream.read_exact(&mut bytes)?;
        }
        Framing::Chunked => loop {
            let size = line(stream)?;
            let size = size.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed(format!("a chunk size of {size:?}")))?;
            let at = bytes.len();
            bytes.resize(at + size, 0);
            stream.read_exact(&mut bytes[at..])?;
            if size == 0 {
                while !line(stream)?.is_empty() {}
                break;
            }
            if !line(stream)?.is_empty() {
                return Err(malformed("a chunk is longer than its size"));
            }
        },
        Framing::UntilClose => {
            stream.read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    bytes.truncate(bytes.len() - 2);
    String::from_utf8(bytes).map_err(|_| malformed("a line that is not ASCII"))
}

fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
