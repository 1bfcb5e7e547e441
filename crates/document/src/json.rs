//! JSON text (RFC 8259) to the tree, without recursion. Text and numbers are judged by `serde_json`.

use tollgate_filter_api::Problem;

use crate::builder::Builder;
use crate::tree::Kind;

#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

impl Expect {
    fn name(self) -> &'static str {
        match self {
            Self::Value => "a value",
            Self::ValueOrEnd => "a value or `]`",
            Self::Key => "a key in double quotes",
            Self::KeyOrEnd => "a key in double quotes or `}`",
            Self::Colon => "`:`",
            Self::CommaOrEnd => "`,` or the closing bracket",
            Self::Nothing => "the end of the file",
        }
    }
}

struct Json<'a, 'b> {
    text: &'a str,
    at: usize,
    line: u32,
    builder: &'b mut Builder<'a>,
}

/// Reads one JSON value into the builder.
pub(crate) fn parse<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<(), Problem> {
    let mut json = Json { text, at: 0, line: 1, builder };
    let mut expect = Expect::Value;
    loop {
        json.skip_space();
        match json.text.as_bytes().get(json.at) {
            None if expect == Expect::Nothing => return Ok(()),
            found => expect = json.step(expect, found.copied())?,
        }
    }
}

impl<'a> Json<'a, '_> {
    fn skip_space(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn step(&mut self, expect: Expect, found: Option<u8>) -> Result<Expect, Problem> {
        match (expect, found) {
            (Expect::Value | Expect::ValueOrEnd, Some(byte)) if !(expect == Expect::ValueOrEnd && byte == b']') => self.value(expect, byte),
            (Expect::ValueOrEnd, Some(b']')) | (Expect::KeyOrEnd, Some(b'}')) => self.close(),
            (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => {
                let key = self.string(expect)?;
                self.builder.key(&key, self.line)?;
                Ok(Expect::Colon)
            }
            (Expect::Colon, Some(b':')) => self.skip(Expect::Value),
            (Expect::CommaOrEnd, Some(b',')) if self.builder.in_array() => self.skip(Expect::Value),
            (Expect::CommaOrEnd, Some(b',')) => self.skip(Expect::Key),
            (Expect::CommaOrEnd, Some(b']')) if self.builder.in_array() => self.close(),
            (Expect::CommaOrEnd, Some(b'}')) if !self.builder.in_array() => self.close(),
            _ => Err(self.unexpected(expect)),
        }
    }

    fn skip(&mut self, next: Expect) -> Result<Expect, Problem> {
        self.at += 1;
        Ok(next)
    }

    fn close(&mut self) -> Result<Expect, Problem> {
        self.at += 1;
        self.builder.close()?;
        Ok(self.after_value())
    }

    fn after_value(&self) -> Expect {
        if self.builder.is_nested() { Expect::CommaOrEnd } else { Expect::Nothing }
    }

    fn value(&mut self, expect: Expect, first: u8) -> Result<Expect, Problem> {
        match first {
            b'{' => {
                self.builder.open_object(self.line)?;
                return self.skip(Expect::KeyOrEnd);
            }
            b'[' => {
                self.builder.open_array(self.line)?;
                return self.skip(Expect::ValueOrEnd);
            }
            b'"' => {
                let text = self.string(expect)?;
                self.builder.scalar(Kind::String(text.into()), self.line)?;
            }
            _ => {
                let kind = self.word(expect)?;
                self.builder.scalar(kind, self.line)?;
            }
        }
        Ok(self.after_value())
    }

    /// A literal or a number.
    fn word(&mut self, expect: Expect) -> Result<Kind, Problem> {
        let rest = &self.text[self.at..];
        let stop = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        let word = &rest[..rest.find(stop).unwrap_or(rest.len())];
        let kind = match word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            _ => match serde_json::from_str(word) {
                Ok(number) => Kind::number(number, word),
                Err(_) => return Err(self.unexpected(expect)),
            },
        };
        self.at += word.len();
        Ok(kind)
    }

    fn string(&mut self, expect: Expect) -> Result<String, Problem> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.unexpected(expect)),
            }
        }
        let literal = &self.text[self.at..=end];
        self.at = end + 1;
        serde_json::from_str(literal).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.split(" at line").next().unwrap_or_default();
            self.builder.problem("json.string", self.line, format!("not a JSON string: {reason}"))
        })
    }

    fn unexpected(&self, expect: Expect) -> Problem {
        let found = match self.text[self.at.min(self.text.len())..].chars().next() {
            Some(c) if c.is_control() => format!("U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
            None => "the end of the file".to_owned(),
        };
        let message = format!("not JSON: found {found}, expected {}", expect.name());
        self.builder.problem("json.syntax", self.line, message)
    }
}
