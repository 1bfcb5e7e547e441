//! STOMP 1.2 frames as bytes. Head, number of headers and body have limits; what is not STOMP 1.2 is refused. A message that is
//! too long is left out, because it would come again after every new connection.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

use crate::failure::Broken;

/// Longest command and headers together.
const MAX_HEAD: usize = 1 << 20;
/// Most headers that are kept. A JMS property is one, and whoever publishes chooses their number.
const MAX_HEADERS: usize = 64;
/// Headers that are kept whatever their place.
const NEEDED: [&str; 4] = ["ack", "content-length", "transformation", "message"];
/// Longest body.
const MAX_BODY: usize = 1 << 20;

/// What a broker may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Connected,
    Message,
    Receipt,
    Error,
}

/// A frame from the broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) command: Command,
    headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Frame {
    /// The value of a header; of a repeated one the first, as the protocol says.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A line end between frames.
    Beat,
    Frame(Frame),
    /// A message without its body, which is too long, and what is to be left out.
    TooLong(Frame, Rest),
}

/// What is left of a frame that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    Bytes(usize),
    UntilNul,
}

/// Takes one frame or heartbeat off the front, if it is there whole.
pub(crate) fn decode(inbox: &mut BytesMut) -> Result<Option<Incoming>, Broken> {
    match inbox[..] {
        [b'\n', ..] => return beat(inbox, 1),
        [b'\r', b'\n', ..] => return beat(inbox, 2),
        [] | [b'\r'] => return Ok(None),
        _ => (),
    }
    let Some((head, start)) = head_of(inbox)? else { return Ok(None) };
    let (command, headers) = read_head(&head)?;
    match extent(&headers, &inbox[start..])? {
        Extent::Open => Ok(None),
        Extent::Whole(length) => {
            inbox.advance(start);
            let mut body = inbox.split_to(length + 1).freeze();
            body.truncate(length);
            Ok(Some(Incoming::Frame(Frame { command, headers, body })))
        }
        Extent::TooLong(rest) if command == Command::Message => {
            inbox.advance(start);
            Ok(Some(Incoming::TooLong(Frame { command, headers, body: Bytes::new() }, rest)))
        }
        Extent::TooLong(_) => Err(Broken("a body that is too long")),
    }
}

fn beat(inbox: &mut BytesMut, length: usize) -> Result<Option<Incoming>, Broken> {
    inbox.advance(length);
    Ok(Some(Incoming::Beat))
}

/// The head without the empty line that ends it, and where the body begins.
fn head_of(inbox: &[u8]) -> Result<Option<(Cow<'_, str>, usize)>, Broken> {
    let window = &inbox[..inbox.len().min(MAX_HEAD)];
    for end in memchr::memchr_iter(b'\n', window) {
        let after = match window.get(end + 1..) {
            Some([b'\n', ..]) => end + 2,
            Some([b'\r', b'\n', ..]) => end + 3,
            _ => continue,
        };
        // Whoever publishes may have chosen bytes that are not UTF-8; the headers that count are the broker's own.
        return Ok(Some((String::from_utf8_lossy(&window[..end]), after)));
    }
    if inbox.len() >= MAX_HEAD { Err(Broken("a head that is too long")) } else { Ok(None) }
}

type Headers = Vec<(String, String)>;

fn read_head(head: &str) -> Result<(Command, Headers), Broken> {
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let command = match lines.next() {
        Some("CONNECTED") => Command::Connected,
        Some("MESSAGE") => Command::Message,
        Some("RECEIPT") => Command::Receipt,
        Some("ERROR") => Command::Error,
        _ => return Err(Broken("a command that no broker sends")),
    };
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Broken("a header without a colon"))?;
        if name.is_empty() {
            return Err(Broken("a header without a name"));
        }
        if headers.len() >= MAX_HEADERS && !NEEDED.contains(&name) {
            continue;
        }
        // The answer to CONNECT is not escaped, for the sake of older clients.
        headers.push(match command {
            Command::Connected => (name.to_owned(), value.to_owned()),
            _ => (unescaped(name)?, unescaped(value)?),
        });
    }
    Ok((command, headers))
}

/// Where the body ends, and the NUL after it.
enum Extent {
    /// Not there yet.
    Open,
    /// So many bytes before the NUL.
    Whole(usize),
    TooLong(Rest),
}

fn extent(headers: &Headers, rest: &[u8]) -> Result<Extent, Broken> {
    let Some((_, announced)) = headers.iter().find(|(name, _)| name == "content-length") else {
        let window = &rest[..rest.len().min(MAX_BODY + 1)];
        return Ok(match memchr::memchr(0, window) {
            Some(length) => Extent::Whole(length),
            None if window.len() > MAX_BODY => Extent::TooLong(Rest::UntilNul),
            None => Extent::Open,
        });
    };
    let digits = !announced.is_empty() && announced.bytes().all(|byte| byte.is_ascii_digit());
    let length: usize = announced.parse().ok().filter(|_| digits).ok_or(Broken("a content-length that is no number"))?;
    if length > MAX_BODY {
        return Ok(Extent::TooLong(Rest::Bytes(length.saturating_add(1))));
    }
    match rest.get(length) {
        None => Ok(Extent::Open),
        Some(0) => Ok(Extent::Whole(length)),
        Some(_) => Err(Broken("a body without a NUL behind it")),
    }
}

fn unescaped(text: &str) -> Result<String, Broken> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        plain.push(match char {
            '\\' => match chars.next() {
                Some('r') => '\r',
                Some('n') => '\n',
                Some('c') => ':',
                Some('\\') => '\\',
                _ => return Err(Broken("an escape that is none")),
            },
            char => char,
        });
    }
    Ok(plain)
}

/// A frame without a body, to be sent.
pub(crate) fn encode(command: &str, headers: &[(&str, &str)]) -> Bytes {
    // CONNECT is read before the version is agreed on, and so is not escaped.
    let escaped = |text: &str| if command == "CONNECT" { text.to_owned() } else { escape(text) };
    let mut frame = format!("{command}\n");
    for (name, value) in headers {
        frame.push_str(&escaped(name));
        frame.push(':');
        frame.push_str(&escaped(value));
        frame.push('\n');
    }
    frame.push_str("\n\0");
    frame.into()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            ':' => escaped.push_str("\\c"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
