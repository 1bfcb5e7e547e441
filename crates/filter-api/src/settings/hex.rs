//! Bytes as hexadecimal digits.

/// Two digits a byte, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes of a text that has two digits for each, in either case, and nothing else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::{hex, unhex};

    #[test]
    fn bytes_become_digits_and_digits_bytes() {
        assert_eq!(hex(&[0, 0x7f, 0xa5, 0xff]), "007fa5ff");
        assert_eq!(unhex("007fA5fF"), Some(vec![0, 0x7f, 0xa5, 0xff]));
        assert_eq!(unhex(""), Some(vec![]));
        for wrong in ["0", "0g", "+1", "00 1", "é"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
