//! A document that is written, within its limit.

use crate::Why;

/// Bytes so far, and how many there may be.
pub(crate) struct Text {
    out: Vec<u8>,
    limit: usize,
}

impl Text {
    pub fn new(limit: usize, expected: usize) -> Self {
        Self { out: Vec::with_capacity(expected.min(limit)), limit }
    }

    /// As it is.
    pub fn raw(&mut self, text: &str) -> Result<(), Why> {
        if text.len() > self.limit - self.out.len() {
            return Err(Why::Large);
        }
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// The text of an element. `carriage` is how a carriage return is written, which readers would else take for a line feed.
    pub fn content(&mut self, text: &str, carriage: &'static str) -> Result<(), Why> {
        self.escaped(text, |byte| match byte {
            b'<' => Some("&lt;"),
            b'>' => Some("&gt;"),
            b'&' => Some("&amp;"),
            b'\r' => Some(carriage),
            _ => None,
        })
    }

    /// The value of an attribute, between quotes. Readers would take white space other than a space for one.
    pub fn attribute(&mut self, text: &str) -> Result<(), Why> {
        self.escaped(text, |byte| match byte {
            b'<' => Some("&lt;"),
            b'&' => Some("&amp;"),
            b'"' => Some("&quot;"),
            b'\t' => Some("&#x9;"),
            b'\n' => Some("&#xa;"),
            b'\r' => Some("&#xd;"),
            _ => None,
        })
    }

    fn escaped(&mut self, text: &str, escape: impl Fn(u8) -> Option<&'static str>) -> Result<(), Why> {
        let bytes = text.as_bytes();
        let mut done = 0;
        for (at, byte) in bytes.iter().enumerate() {
            match *byte {
                b'\t' | b'\n' | b'\r' | b' '..=0x7f => {}
                0..=0x1f => return Err(Why::Character),
                // U+FFFE and U+FFFF.
                0xef if matches!(bytes.get(at + 1..at + 3), Some([0xbf, 0xbe | 0xbf])) => return Err(Why::Character),
                _ => continue,
            }
            if let Some(escaped) = escape(*byte) {
                self.raw(&text[done..at])?;
                self.raw(escaped)?;
                done = at + 1;
            }
        }
        self.raw(&text[done..])
    }

    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}
