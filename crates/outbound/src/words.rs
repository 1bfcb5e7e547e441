//! Words of the other side.

/// Longest text that is passed on.
const LONGEST: usize = 300;

/// A server's words, made fit for a log: one line, without control characters, cut to 300 characters.
pub fn quoted(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(LONGEST).map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_cannot_forge_or_flood_a_log() {
        assert_eq!(quoted("no\r\n2026 ERROR forged\u{1b}[0m"), "no  2026 ERROR forged [0m");
        assert_eq!(quoted(&"x".repeat(5000)).len(), LONGEST);
    }
}
