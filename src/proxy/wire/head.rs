//! The head of a request, line by line: where it ends, and what it says about the body.
//!
//! A head mostly comes in one piece and is looked at where it lies. Of a line that is cut, only the beginning is kept.

use crate::judge::framing::{Framing, LONGEST, Malformed};

/// Bytes of a line that are kept when it is cut. No sane `Content-Length` or `Transfer-Encoding` is longer.
const KEPT: usize = 128;

/// What is known of a head so far.
#[derive(Debug, Default)]
pub struct Head {
    /// Its bytes.
    bytes: usize,
    /// The request line is over.
    started: bool,
    length: Option<u64>,
    chunked: bool,
    malformed: Option<Malformed>,
    /// A line whose end has not come.
    cut: Option<Box<Cut>>,
}

#[derive(Debug, Default)]
struct Cut {
    /// Its first bytes.
    start: Vec<u8>,
    /// The last one, if it is not among them.
    last: Option<u8>,
}

impl Cut {
    fn add(&mut self, bytes: &[u8]) {
        let kept = (KEPT - self.start.len()).min(bytes.len());
        self.start.extend_from_slice(&bytes[..kept]);
        self.last = bytes[kept..].last().copied().or(self.last);
    }

    /// The whole line, or one that begins and ends like it and is longer than what is kept.
    fn finish(mut self, end: &[u8]) -> Vec<u8> {
        self.add(&end[..end.len() - 1]);
        self.start.extend(self.last);
        self.start.push(b'\n');
        self.start
    }
}

impl Head {
    /// A head that is refused, whatever follows.
    pub fn refused(why: Malformed) -> Self {
        Self { malformed: Some(why), ..Self::default() }
    }

    /// How many of these bytes, which follow those before, belong to the head, when it ends among them.
    pub fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        let mut ordinary = self.started && self.cut.is_none();
        for at in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[from..=at];
            from = at + 1;
            match line {
                [first, _, .., b'\r', b'\n'] if ordinary && !matches!(first, b'c' | b'C' | b't' | b'T') => {}
                _ if self.line(line) => {
                    self.bytes += from;
                    return Some(from);
                }
                _ => ordinary = self.started,
            }
        }
        self.bytes += bytes.len();
        if from < bytes.len() {
            self.cut.get_or_insert_default().add(&bytes[from..]);
        }
        None
    }

    /// Takes note of a line, or of the end of one. Whether the head ends with it.
    fn line(&mut self, end: &[u8]) -> bool {
        let whole = self.cut.take().map(|cut| cut.finish(end));
        let line = whole.as_deref().unwrap_or(end);
        let text = line.strip_suffix(b"\r\n").unwrap_or_else(|| {
            self.refuse(Malformed::LineEnd);
            &line[..line.len() - 1]
        });
        if text.is_empty() {
            return self.started;
        }
        if self.started {
            self.field(text);
        }
        self.started = true;
        false
    }

    fn field(&mut self, line: &[u8]) {
        if let Some(value) = value(line, b"content-length:") {
            match number(value).filter(|_| line.len() < KEPT && self.length.is_none()) {
                Some(length) => self.length = Some(length),
                None => self.refuse(Malformed::Length),
            }
        } else if let Some(value) = value(line, b"transfer-encoding:") {
            if line.len() >= KEPT || self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                self.refuse(Malformed::Coding);
            }
            self.chunked = true;
        }
    }

    /// The first reason counts.
    fn refuse(&mut self, why: Malformed) {
        self.malformed.get_or_insert(why);
    }

    /// How many bytes it had, once it is over.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How the message ends, once its head is over.
    pub fn framing(&self) -> Framing {
        match (self.malformed, self.chunked, self.length) {
            (Some(why), _, _) => Framing::Malformed(why),
            (None, true, Some(_)) => Framing::Malformed(Malformed::Both),
            (None, true, None) => Framing::Chunked,
            (None, false, length) => Framing::Length(length.unwrap_or(0)),
        }
    }
}

/// The value of a field with this name and colon, without the spaces around it. Tabs are allowed there too (RFC 9110 §5.5), and not every reader takes them away.
fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (_, mut value) = line.split_at_checked(name.len()).filter(|(start, _)| start.eq_ignore_ascii_case(name))?;
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    Some(value)
}

fn number(digits: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte: &u8| number.checked_mul(10)?.checked_add(digit(byte)?);
    digits.iter().try_fold(0, add).filter(|number| !digits.is_empty() && *number <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The framing of a head that is cut into pieces of this size, followed by what is none of its business.
    fn read(head: &str, piece: usize) -> (usize, Framing) {
        let bytes = [head.as_bytes(), b"GET /next HTTP/1.1\r\n\r\n"].concat();
        let (mut read, mut seen) = (Head::default(), 0);
        for piece in bytes.chunks(piece) {
            match read.end(piece) {
                Some(end) => return (seen + end, read.framing()),
                None => seen += piece.len(),
            }
        }
        panic!("{head:?} does not end");
    }

    #[test]
    fn a_head_says_how_its_message_ends_however_it_is_cut() {
        let long = " ".repeat(KEPT);
        let fields = [
            ("", Framing::Length(0)),
            ("Content-Length: 17\r\n", Framing::Length(17)),
            ("content-length:  007 \r\n", Framing::Length(7)),
            ("CONTENT-LENGTH:0\r\n", Framing::Length(0)),
            ("X-Content-Length: 9\r\nContent-Lengths: 9\r\n", Framing::Length(0)),
            ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
            ("transfer-ENCODING:  Chunked \r\n", Framing::Chunked),
            ("Content-Length: 17\r\nContent-Length: 17\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length: 17, 17\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length: +17\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length: 0x11\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length:\t17\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length:\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length: 99999999999999999999\r\n", Framing::Malformed(Malformed::Length)),
            ("Content-Length: 9223372036854775808\r\n", Framing::Malformed(Malformed::Length)),
            (&format!("Content-Length:{long}17\r\n"), Framing::Malformed(Malformed::Length)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Framing::Malformed(Malformed::Coding)),
            ("Transfer-Encoding: gzip, chunked\r\n", Framing::Malformed(Malformed::Coding)),
            ("Transfer-Encoding: chunked\t\r\n", Framing::Malformed(Malformed::Coding)),
            ("Transfer-Encoding: xchunked\r\n", Framing::Malformed(Malformed::Coding)),
            ("Content-Length: 17\r\nTransfer-Encoding: chunked\r\n", Framing::Malformed(Malformed::Both)),
            ("X: y\n", Framing::Malformed(Malformed::LineEnd)),
            (&format!("X: {}\n", "y".repeat(KEPT)), Framing::Malformed(Malformed::LineEnd)),
        ];
        for (fields, framing) in fields {
            let head = format!("POST /content-length:5 HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            for piece in (1..=head.len()).chain([4096]) {
                assert_eq!(read(&head, piece), (head.len(), framing), "{fields:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_head_ends_at_the_first_empty_line_of_either_kind() {
        for head in ["GET / HTTP/1.1\r\n\n", "GET / HTTP/1.1\n\r\n", "GET / HTTP/1.1\n\n", "\nGET / HTTP/1.1\r\n\r\n"] {
            for piece in 1..=head.len() {
                assert_eq!(read(head, piece), (head.len(), Framing::Malformed(Malformed::LineEnd)), "{head:?} in pieces of {piece}");
            }
        }
    }
}
