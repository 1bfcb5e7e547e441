//! The grammar of RFC 8259, without recursion.

use std::borrow::Cow;

use super::{
    Limits, Malformed,
    sink::Sink,
    tree::{Builder, Tree},
};

/// Reads a text that is one JSON value.
///
/// # Errors
/// What is wrong with it first.
pub fn parse<'a>(text: &'a [u8], limits: &Limits) -> Result<Tree<'a>, Malformed> {
    let mut builder = Builder::new(limits);
    read(text, &mut builder)?;
    builder.finish().ok_or(Malformed::Syntax)
}

/// Reads a text that is one JSON value, and tells `sink` its parts in order. The limits, and what is said of a name that stands twice, are
/// those of the sink.
///
/// # Errors
/// What is wrong with it first, or what the sink refuses.
pub fn read<'a>(text: &'a [u8], sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    let text = std::str::from_utf8(text).map_err(|_| Malformed::Utf8)?;
    Reader { text, at: 0, builder: sink }.value()
}

struct Reader<'a, 's, S> {
    text: &'a str,
    at: usize,
    builder: &'s mut S,
}

impl<'a, S: Sink<'a>> Reader<'a, '_, S> {
    fn value(&mut self) -> Result<(), Malformed> {
        loop {
            self.space();
            // A value begins here.
            let opened = match self.peek() {
                Some(b'{') => self.begin(true)?,
                Some(b'[') => self.begin(false)?,
                _ => {
                    self.scalar()?;
                    false
                }
            };
            if !opened && self.close()? {
                return Ok(());
            }
        }
    }

    /// Begins a container. `true` when a value follows, its name being read; an empty one ends at once.
    fn begin(&mut self, is_object: bool) -> Result<bool, Malformed> {
        self.at += 1;
        self.builder.begin(is_object)?;
        self.space();
        if self.peek() == Some(if is_object { b'}' } else { b']' }) {
            self.at += 1;
            self.builder.end()?;
            return Ok(false);
        }
        if is_object {
            self.name()?;
        }
        Ok(true)
    }

    /// After a value: what ends with it, up to where the next one begins. `true` at the end of the text.
    fn close(&mut self) -> Result<bool, Malformed> {
        loop {
            self.space();
            let Some(is_object) = self.builder.in_object() else {
                return if self.at == self.text.len() { Ok(true) } else { Err(Malformed::Syntax) };
            };
            match (self.peek(), is_object) {
                (Some(b','), _) => {
                    self.at += 1;
                    self.space();
                    if is_object {
                        self.name()?;
                    }
                    return Ok(false);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    self.builder.end()?;
                }
                _ => return Err(Malformed::Syntax),
            }
        }
    }

    fn name(&mut self) -> Result<(), Malformed> {
        let name = self.quoted()?;
        self.builder.name(name)?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(Malformed::Syntax);
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => {
                let text = self.quoted()?;
                self.builder.string(text)
            }
            Some(b't') => self.word("true").and_then(|()| self.builder.bool(true)),
            Some(b'f') => self.word("false").and_then(|()| self.builder.bool(false)),
            Some(b'n') => self.word("null").and_then(|()| self.builder.null()),
            Some(b'-' | b'0'..=b'9') => {
                let begin = self.at;
                self.at += number(&self.text.as_bytes()[begin..]).ok_or(Malformed::Syntax)?;
                self.builder.number(Cow::Borrowed(&self.text[begin..self.at]))
            }
            _ => Err(Malformed::Syntax),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Malformed> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Malformed::Syntax);
        }
        self.at += word.len();
        Ok(())
    }

    /// A string, borrowed when nothing in it is escaped.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::Syntax);
        }
        let begin = self.at + 1;
        let end = self.plain(begin)?;
        if self.text.as_bytes()[end] == b'"' {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[begin..end]));
        }
        self.escaped(begin, end)
    }

    /// Where the first quote or backslash from there on is.
    fn plain(&self, from: usize) -> Result<usize, Malformed> {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let rest = &self.text.as_bytes()[from..];
        let at = rest.iter().position(special).ok_or(Malformed::Syntax)?;
        if rest[at] < 0x20 { Err(Malformed::Syntax) } else { Ok(from + at) }
    }

    fn escaped(&mut self, begin: usize, mut end: usize) -> Result<Cow<'a, str>, Malformed> {
        let mut text = self.text[begin..end].to_owned();
        while self.text.as_bytes()[end] == b'\\' {
            self.at = end + 1;
            text.push(self.escape()?);
            end = self.plain(self.at)?;
            text.push_str(&self.text[self.at..end]);
        }
        self.at = end + 1;
        Ok(Cow::Owned(text))
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let escaped = self.peek().ok_or(Malformed::Syntax)?;
        self.at += 1;
        Ok(match escaped {
            b'"' | b'\\' | b'/' => char::from(escaped),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    // A second half without the first is no character.
                    return char::from_u32(first).ok_or(Malformed::Syntax);
                }
                self.word("\\u")?;
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    return Err(Malformed::Syntax);
                }
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(Malformed::Syntax)?
            }
            _ => return Err(Malformed::Syntax),
        })
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(Malformed::Syntax)?;
        self.at += 4;
        let digit = |value: u32, digit: &u8| Some(value << 4 | char::from(*digit).to_digit(16)?);
        digits.iter().try_fold(0, digit).ok_or(Malformed::Syntax)
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

/// Bytes of the number that begins there; `None` when it does not have the grammar.
pub(crate) fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    match text.get(at) {
        Some(b'0') => at += 1,
        Some(b'1'..=b'9') => at += digits(at),
        _ => return None,
    }
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at += 1 + Some(fraction).filter(|digits| *digits > 0)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        at += 1 + sign + Some(exponent).filter(|digits| *digits > 0)?;
    }
    Some(at)
}
