//! Percent-encoded text (RFC 3986 §2.1).

/// The bytes of a percent-encoded text; `None` when an escape is broken, which lenient readers let stand for itself.
pub fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let whole = |part: &str| part.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    text.split('%').skip(1).all(whole).then(|| percent_encoding::percent_decode_str(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_has_two_digits_and_is_decoded_once() {
        for (text, expected) in [("", ""), ("a+b", "a+b"), ("%2541%2f", "%41/"), ("é%C3%A9", "éé")] {
            assert_eq!(percent_decoded(text).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in ["%", "%4", "%4g", "%+1", "a%%41", "%é"] {
            assert_eq!(percent_decoded(text), None, "{text}");
        }
    }
}
