//! A header value in the making. Whatever a fact holds, it becomes one line of visible ASCII.
//!
//! Bytes that are not visible ASCII, and `%` itself, become `%XX`, so decoding gives back what was there and nothing
//! else. A space is kept except at either end, where parsers drop it.

/// Longest value. Upstreams commonly take 8 KiB for a line, and some for a whole head.
pub(crate) const LONGEST: usize = 4096;

/// A value, and whether it grew too long.
#[derive(Debug, Default)]
pub(crate) struct Text {
    written: String,
    overlong: bool,
}

impl Text {
    /// The value, unless it is too long.
    pub(crate) fn finish(self) -> Result<String, TooLong> {
        if self.overlong { Err(TooLong) } else { Ok(self.written) }
    }

    /// Text that the operator wrote and the loader judged.
    pub(crate) fn literal(&mut self, text: &str) {
        for byte in text.bytes() {
            self.byte(byte);
        }
    }

    /// A fact; `false` when it is empty.
    pub(crate) fn value(&mut self, value: &str) -> bool {
        self.escaped(value, |_| false);
        !value.is_empty()
    }

    /// A list, with commas between; a comma within an item is escaped. `false` when there is no item.
    pub(crate) fn list<'v>(&mut self, items: impl Iterator<Item = &'v str>) -> bool {
        let mut any = false;
        for item in items.filter(|item| !item.is_empty()) {
            if any {
                self.byte(b',');
            }
            self.escaped(item, |byte| byte == b',');
            any = true;
        }
        any
    }

    fn escaped(&mut self, value: &str, also: impl Fn(u8) -> bool) {
        let last = value.len().saturating_sub(1);
        for (at, byte) in value.bytes().enumerate() {
            let plain = byte.is_ascii_graphic() && byte != b'%' && !also(byte);
            let inner_space = byte == b' ' && at != 0 && at != last;
            if plain || inner_space {
                self.byte(byte);
            } else {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                self.byte(b'%');
                self.byte(HEX[usize::from(byte >> 4)]);
                self.byte(HEX[usize::from(byte & 15)]);
            }
            if self.overlong {
                return;
            }
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.written.len() == LONGEST {
            self.overlong = true;
        } else {
            self.written.push(char::from(byte));
        }
    }
}

/// The value has more than [`LONGEST`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(fact: &str) -> String {
        let mut text = Text::default();
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
    fn an_item_of_a_list_cannot_become_two() {
        let mut text = Text::default();
        assert!(text.list(["users", "", "a,admin"].into_iter()));
        assert_eq!(text.finish().as_deref(), Ok("users,a%2Cadmin"));
        assert!(!Text::default().list([].into_iter()));
    }

    #[test]
    fn the_length_counts_after_escaping() {
        let mut text = Text::default();
        text.value(&"a".repeat(LONGEST));
        assert!(text.finish().is_ok());
        let mut text = Text::default();
        text.value(&"é".repeat(LONGEST / 6 + 1));
        assert_eq!(text.finish(), Err(TooLong));
    }
}
