//! What a client likes better: the weights of `Accept` and its relatives.

/// Reads a weight, `0.5` for instance, in thousandths (RFC 9110 §12.4.2). `None` for what is none.
pub fn quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_has_three_digits_at_most_and_is_one_at_most() {
        for (text, expected) in [("0", 0), ("0.", 0), ("0.5", 500), ("0.25", 250), ("0.001", 1), ("1", 1000), ("1.000", 1000)] {
            assert_eq!(quality(text), Some(expected), "{text}");
        }
        for text in ["", "1.001", "2", "0.1234", "-1", "+1", ".5", "0.x", "00", "1e0"] {
            assert_eq!(quality(text), None, "{text}");
        }
    }
}
