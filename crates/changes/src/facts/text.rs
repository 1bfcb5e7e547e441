//! A value in the making. Whatever a fact holds, it stays one value of the place where it is written.
//!
//! Bytes that the place does not hold, and `%` itself, become `%XX`, so decoding gives back what was there and nothing else. In a field a
//! space is kept except at either end, where parsers drop it. A string of a JSON document is escaped when the document is written.

use std::borrow::Cow;

/// Longest value. Upstreams commonly take 8 KiB for a line, and some for a whole head.
pub const LONGEST: usize = 4096;

/// Where a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field of a head: visible ASCII.
    Field,
    /// A segment of a path, or a part of one (RFC 3986 §3.3).
    Segment,
    /// A name or a value in a query.
    Query,
    /// A value of a cookie (RFC 6265 §4.1.1).
    Cookie,
    /// A URL, of which a fact is one part of a segment or of a value, unless it is the target itself (RFC 3986).
    Url,
    /// A string of a JSON document.
    Json,
}

impl Place {
    /// Whether a byte of a fact stands for itself, but for spaces in a field.
    fn holds(self, byte: u8) -> bool {
        match self {
            Self::Field => byte.is_ascii_graphic() && byte != b'%',
            Self::Segment => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte),
            Self::Query | Self::Url => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
            Self::Cookie => byte.is_ascii_graphic() && !b"%\",;\\".contains(&byte),
            Self::Json => true,
        }
    }

    /// A text as it is written here, whatever it holds.
    pub(crate) fn written(self, value: &[u8]) -> String {
        let mut text = Text { longest: usize::MAX, ..Text::new(self) };
        text.value(value);
        text.finish().unwrap_or_default()
    }

    /// Whether a byte that an operator wrote may stand here as it is.
    pub(super) fn allows(self, byte: u8) -> bool {
        match self {
            Self::Field => byte == b' ' || byte.is_ascii_graphic(),
            Self::Segment => byte.is_ascii_graphic() && !b"?#\\\"<>^`{|}".contains(&byte),
            Self::Query => byte.is_ascii_graphic() && !b"#&\"<>".contains(&byte),
            Self::Cookie => byte.is_ascii_graphic() && !b"\",;\\".contains(&byte),
            Self::Url => is_of_url(byte),
            Self::Json => true,
        }
    }
}

fn is_of_url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)
}

/// A value, and whether it grew too long.
#[derive(Debug)]
pub(super) struct Text {
    place: Place,
    written: Vec<u8>,
    longest: usize,
    overlong: bool,
}

impl Text {
    pub(super) fn new(place: Place) -> Self {
        Self { place, written: Vec::new(), longest: LONGEST, overlong: false }
    }

    /// The value, unless it is too long.
    pub(super) fn finish(self) -> Result<String, TooLong> {
        if self.overlong {
            return Err(TooLong);
        }
        Ok(match String::from_utf8_lossy(&self.written) {
            Cow::Owned(repaired) => repaired,
            Cow::Borrowed(_) => String::from_utf8(self.written).unwrap_or_default(),
        })
    }

    /// Text that the operator wrote and the loader judged.
    pub(super) fn literal(&mut self, text: &str) {
        for byte in text.bytes() {
            self.byte(byte);
        }
    }

    /// A fact; `false` when it is empty.
    pub(super) fn value(&mut self, value: impl AsRef<[u8]>) -> bool {
        let value = value.as_ref();
        self.escaped(value, |_| false);
        !value.is_empty()
    }

    /// A part of what was asked for; `false` when it is empty. In a URL it is one already, escapes and all.
    pub(super) fn asked(&mut self, value: &str) -> bool {
        if self.place != Place::Url {
            return self.value(value);
        }
        value.bytes().for_each(|byte| if is_of_url(byte) && byte != b'#' { self.byte(byte) } else { self.escape(byte) });
        !value.is_empty()
    }

    /// A list, with commas between; a comma within an item is escaped. `false` when there is no item.
    pub(super) fn list<'v>(&mut self, items: impl Iterator<Item = &'v str>) -> bool {
        let mut any = false;
        for item in items.filter(|item| !item.is_empty()) {
            if any {
                self.byte(b',');
            }
            self.escaped(item.as_bytes(), |byte| byte == b',');
            any = true;
        }
        any
    }

    fn escaped(&mut self, value: &[u8], also: impl Fn(u8) -> bool) {
        let last = value.len().saturating_sub(1);
        for (at, byte) in value.iter().copied().enumerate() {
            let plain = self.place.holds(byte) && !also(byte);
            let inner_space = self.place == Place::Field && byte == b' ' && at != 0 && at != last;
            if plain || inner_space {
                self.byte(byte);
            } else {
                self.escape(byte);
            }
            if self.overlong {
                return;
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        self.byte(b'%');
        self.byte(HEX[usize::from(byte >> 4)]);
        self.byte(HEX[usize::from(byte & 15)]);
    }

    fn byte(&mut self, byte: u8) {
        if self.written.len() >= self.longest {
            self.overlong = true;
        } else {
            self.written.push(byte);
        }
    }
}

/// The value has more than [`LONGEST`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(fact: &str) -> String {
        let mut text = Text::new(Place::Field);
        text.value(fact);
        text.finish().expect("it is short")
    }

    #[test]
    fn what_is_not_visible_ascii_is_escaped_and_can_be_read_back() {
        assert_eq!(value("Ada Lovelace"), "Ada Lovelace");
        assert_eq!(value("a\r\nX-Admin: 1\0"), "a%0D%0AX-Admin: 1%00");
        assert_eq!(value("é"), "%C3%A9");
        assert_eq!(value("%0d%0a"), "%250d%250a");
        assert_eq!(value(" admin\t"), "%20admin%09");
        assert_eq!(value(" "), "%20");
        assert_eq!(value("\u{7f}"), "%7F");
    }

    #[test]
    fn a_fact_stays_one_part_of_a_target_and_one_value_of_a_cookie() {
        let value = |place, fact: &str| {
            let mut text = Text::new(place);
            text.value(fact);
            text.finish().expect("it is short")
        };
        assert_eq!(value(Place::Segment, "a/b?c#d;e%2F é"), "a%2Fb%3Fc%23d%3Be%252F%20%C3%A9");
        assert_eq!(value(Place::Query, "a=b&c d+e"), "a%3Db%26c%20d%2Be");
        assert_eq!(value(Place::Cookie, "a=b; c,\"d\""), "a=b%3B%20c%2C%22d%22");
        assert_eq!(value(Place::Json, "a\"b\n%"), "a\"b\n%");
    }

    #[test]
    fn an_item_of_a_list_cannot_become_two() {
        let mut text = Text::new(Place::Field);
        assert!(text.list(["users", "", "a,admin"].into_iter()));
        assert_eq!(text.finish().as_deref(), Ok("users,a%2Cadmin"));
        assert!(!Text::new(Place::Field).list([].into_iter()));
    }

    #[test]
    fn the_length_counts_after_escaping() {
        let mut text = Text::new(Place::Field);
        text.value("a".repeat(LONGEST));
        assert!(text.finish().is_ok());
        let mut text = Text::new(Place::Field);
        text.value("é".repeat(LONGEST / 6 + 1));
        assert_eq!(text.finish(), Err(TooLong));
    }
}
