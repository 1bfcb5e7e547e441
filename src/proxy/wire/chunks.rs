//! A chunked body, judged by its whole grammar (RFC 9112 §7.1).
//!
//! Readers that are lenient about sizes, extensions and line ends do not agree where a chunk ends. Trailers are judged and dropped.

use std::cmp::min;

use crate::judge::framing::Malformed;

/// Digits of the largest size.
const DIGITS: u8 = 16;
/// Bytes that the extensions of one chunk may have, and those of all chunks beyond their data.
const EXTENSIONS: u64 = 4 << 10;
/// Bytes of all trailers.
const TRAILERS: usize = 8 << 10;

/// What is known of a chunked body so far.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    /// Of the chunk whose head is being read, then what is left of its data.
    size: u64,
    digits: u8,
    /// Bytes of data that all chunks declared.
    data: u64,
    /// Bytes of extensions: of this chunk, and of all.
    extension: u64,
    extensions: u64,
    trailers: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Extension(Extension),
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastEnd,
    Over,
}

/// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    NameStart,
    Name,
    NameOver,
    ValueStart,
    Value,
    Quoted,
    Escaped,
    QuotedOver,
    ValueOver,
}

impl Chunks {
    /// How many of these bytes, which follow those before, belong to the body.
    ///
    /// # Errors
    /// When one of them breaks the grammar.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() && !self.is_over() {
            if self.state == State::Data {
                at += self.data(bytes.len() - at);
            } else {
                self.state = self.byte(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    /// The last line has come.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Goes past data, of which there are so many bytes at least.
    fn data(&mut self, bytes: usize) -> usize {
        let taken = usize::try_from(self.size).map_or(bytes, |left| min(left, bytes));
        self.size -= taken as u64;
        if self.size == 0 {
            self.state = State::DataReturn;
        }
        taken
    }

    fn byte(&mut self, byte: u8) -> Result<State, Malformed> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.digits > 0 => Ok(State::SizeEnd),
            (State::Size, b';') if self.digits > 0 => Ok(State::Extension(Extension::NameStart)),
            (State::Size, _) => self.digit(byte),
            (State::Extension(part), _) => self.extension(part, byte),
            (State::SizeEnd, b'\n') => Ok(self.begin()),
            (State::DataReturn, b'\r') => Ok(State::DataEnd),
            (State::DataEnd, b'\n') => Ok(State::Size),
            (State::SizeEnd, _) => Err(Malformed::LineEnd),
            (State::DataReturn | State::DataEnd, _) => Err(Malformed::ChunkEnd),
            (State::LastEnd, b'\n') => Ok(State::Over),
            (state, _) => self.trailer(state, byte),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<State, Malformed> {
        let digit = char::from(byte).to_digit(16).filter(|_| self.digits < DIGITS).ok_or(Malformed::ChunkSize)?;
        self.digits += 1;
        self.size = self.size << 4 | u64::from(digit);
        Ok(State::Size)
    }

    /// The head of a chunk is over.
    fn begin(&mut self) -> State {
        (self.digits, self.extension) = (0, 0);
        self.data = self.data.saturating_add(self.size);
        if self.size == 0 { State::TrailerStart } else { State::Data }
    }

    fn extension(&mut self, part: Extension, byte: u8) -> Result<State, Malformed> {
        self.extension += 1;
        self.extensions += 1;
        if self.extension > EXTENSIONS || self.extensions > EXTENSIONS.saturating_add(self.data) {
            return Err(Malformed::Extensions);
        }
        let next = match (part, byte) {
            (Extension::Quoted, b'"') => Extension::QuotedOver,
            (Extension::Quoted, b'\\') => Extension::Escaped,
            (Extension::Quoted | Extension::Escaped, _) if is_text(byte) => Extension::Quoted,
            (Extension::Name | Extension::Value | Extension::QuotedOver, b'\r') => return Ok(State::SizeEnd),
            (Extension::NameStart | Extension::Name, _) if is_token(byte) => Extension::Name,
            (Extension::ValueStart | Extension::Value, _) if is_token(byte) => Extension::Value,
            (Extension::ValueStart, b'"') => Extension::Quoted,
            (Extension::NameStart | Extension::ValueStart, b' ' | b'\t') => part,
            (Extension::Name | Extension::NameOver, b'=') => Extension::ValueStart,
            (Extension::Name | Extension::NameOver, b' ' | b'\t') => Extension::NameOver,
            (Extension::Value | Extension::QuotedOver | Extension::ValueOver, b' ' | b'\t') => Extension::ValueOver,
            (Extension::Name | Extension::NameOver | Extension::Value | Extension::QuotedOver | Extension::ValueOver, b';') => {
                Extension::NameStart
            }
            _ => return Err(Malformed::Extension),
        };
        Ok(State::Extension(next))
    }

    /// A trailer is a field like any other (RFC 9112 §5), without the folded lines that few understand.
    fn trailer(&mut self, state: State, byte: u8) -> Result<State, Malformed> {
        self.trailers += 1;
        if self.trailers > TRAILERS {
            return Err(Malformed::Trailers);
        }
        match (state, byte) {
            (State::TrailerStart, b'\r') => Ok(State::LastEnd),
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => Ok(State::TrailerName),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, _) if is_text(byte) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            _ => Err(Malformed::Trailer),
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What may stand in a value: everything but control characters.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a body in pieces of this size: how many bytes belong to it, or `None` when it goes on.
    fn read(body: &[u8], piece: usize) -> Result<Option<usize>, Malformed> {
        let (mut chunks, mut taken) = (Chunks::default(), 0);
        for piece in body.chunks(piece) {
            taken += chunks.follow(piece)?;
            if chunks.is_over() {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    fn each(body: &[u8], expected: Result<Option<usize>, Malformed>) {
        for piece in (1..=body.len()).chain([1 << 20]) {
            assert_eq!(read(body, piece), expected, "{:?} in pieces of {piece}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_trailers_however_it_is_cut() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n",
            "000000000000000a\r\n0123456789\r\n0000\r\n\r\n",
            "5;a\r\nhello\r\n0;b\r\n\r\n",
            "5;a=b;c=\"d;\\\"\t\\\\\";e\r\nhello\r\n0\r\n\r\n",
            "5; a = b ; c = \"d\" ;e\r\nhello\r\n0\r\n\r\n",
            "1;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\na\r\n0\r\n\r\n",
            "1\r\na\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n",
        ] {
            each(body.as_bytes(), Ok(Some(body.len())));
            each(format!("{body}GET / HTTP/1.1\r\n").as_bytes(), Ok(Some(body.len())));
            each(&body.as_bytes()[..body.len() - 1], Ok(None));
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_refused_however_it_is_cut() {
        let cases: &[(&[u8], Malformed)] = &[
            (b"\r\n", Malformed::ChunkSize),
            (b"\n", Malformed::ChunkSize),
            (b";a\r\n", Malformed::ChunkSize),
            (b"+5\r\n", Malformed::ChunkSize),
            (b"-5\r\n", Malformed::ChunkSize),
            (b"0x5\r\n", Malformed::ChunkSize),
            (b" 5\r\n", Malformed::ChunkSize),
            (b"5 \r\n", Malformed::ChunkSize),
            (b"5\t\r\n", Malformed::ChunkSize),
            (b"5 ;a\r\n", Malformed::ChunkSize),
            (b"5g\r\n", Malformed::ChunkSize),
            (b"5_0\r\n", Malformed::ChunkSize),
            (b"5\n", Malformed::ChunkSize),
            (b"5\0\r\n", Malformed::ChunkSize),
            (b"00000000000000005\r\n", Malformed::ChunkSize),
            (b"5\r5", Malformed::LineEnd),
            (b"5;a\nb", Malformed::Extension),
            (b"5;\0", Malformed::Extension),
            (b"5;\r\n", Malformed::Extension),
            (b"5;;a\r\n", Malformed::Extension),
            (b"5;=a\r\n", Malformed::Extension),
            (b"5;a=\r\n", Malformed::Extension),
            (b"5;a \r\n", Malformed::Extension),
            (b"5;a=\"b\r\n", Malformed::Extension),
            (b"5;a=\"b\"c\r\n", Malformed::Extension),
            (b"5;a=b\r\r\n", Malformed::LineEnd),
            (b"5\r\nhello\n", Malformed::ChunkEnd),
            (b"5\r\nhello0\r\n\r\n", Malformed::ChunkEnd),
            (b"5\r\nhello\r0", Malformed::ChunkEnd),
            (b"0\r\nx\r\n\r\n", Malformed::Trailer),
            (b"0\r\n: x\r\n\r\n", Malformed::Trailer),
            (b"0\r\nx : y\r\n\r\n", Malformed::Trailer),
            (b"0\r\nx: y\r\n z\r\n\r\n", Malformed::Trailer),
            (b"0\r\nx: \0\r\n\r\n", Malformed::Trailer),
            (b"0\r\nx: y\n\r\n", Malformed::Trailer),
            (b"0\r\n\n", Malformed::Trailer),
            (b"0\r\n\r\r\n", Malformed::Trailer),
        ];
        for (body, why) in cases {
            each(body, Err(*why));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let long = "a".repeat(EXTENSIONS as usize);
        assert_eq!(read(format!("1;{long}\r\n").as_bytes(), 1000), Err(Malformed::Extensions));
        let later = format!("8000\r\n{}\r\n1;{long}\r\n", "x".repeat(0x8000));
        assert_eq!(read(later.as_bytes(), 1000), Err(Malformed::Extensions));
        let small = "1;a=0123456789\r\nx\r\n".repeat(EXTENSIONS as usize / 10);
        assert_eq!(read(small.as_bytes(), 1000), Err(Malformed::Extensions));
        let signed = format!("400;s={}\r\n{}\r\n", "5".repeat(80), "x".repeat(0x400)).repeat(1000);
        assert_eq!(read(signed.as_bytes(), 1000), Ok(None));
        let trailers = "X: y\r\n".repeat(TRAILERS / 6 + 1);
        assert_eq!(read(format!("0\r\n{trailers}\r\n").as_bytes(), 1000), Err(Malformed::Trailers));
    }
}
