//! What a guest says, as a log may have it.

/// Most bytes that are kept of what a guest said last.
const LAST: usize = 512;
/// Most bytes of a line.
pub const LINE: usize = 4 << 10;

/// Text on one line, without what moves a cursor, and cut.
pub fn plain(bytes: &[u8], most: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(most)]);
    let mut plain = String::with_capacity(text.len());
    for c in text.trim().chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// The end of what a guest wrote to its error output or logged as an error.
#[derive(Debug, Default)]
pub struct LastWords(Vec<u8>);

impl LastWords {
    pub fn hear(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(LAST)..];
        let keep = LAST - new.len();
        self.0.drain(..self.0.len().saturating_sub(keep));
        self.0.extend_from_slice(new);
    }

    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// The last lines: a panic of Rust says the place on one and the message on the next.
    pub fn say(&self) -> Option<String> {
        let said = plain(&self.0, LAST);
        (!said.is_empty()).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_says_stays_on_one_line_and_its_end_is_kept() {
        assert_eq!(plain(b"a\n\x1b[31m\xff \n", LINE), "a\\n\\u{1b}[31m\u{fffd}");
        assert_eq!(plain(b"abcdef", 3), "abc");
        let mut words = LastWords::default();
        assert_eq!(words.say(), None);
        words.hear(&[b'x'; 600]);
        words.hear(b"panicked");
        let said = words.say().expect("it said something");
        assert!(said.len() == LAST && said.ends_with("xpanicked"), "{said}");
    }
}
