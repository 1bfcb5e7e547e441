//! Numbers by their text, as a double cannot hold every one of them.

/// Digits without zeros at either end, and the power of ten of the last one.
#[derive(PartialEq, Eq)]
struct Number {
    is_negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

/// Whether two texts are the same number.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    matches!((read(a), read(b)), (Some(a), Some(b)) if a == b)
}

fn read(text: &str) -> Option<Number> {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if !rest.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
    let mut exponent = power.parse::<i64>().ok()?.checked_sub(part.len() as i64)?;
    while digits.pop_if(|last| *last == b'0').is_some() {
        exponent = exponent.checked_add(1)?;
    }
    digits.drain(..digits.iter().take_while(|digit| **digit == b'0').count());
    if digits.is_empty() {
        return Some(Number { is_negative: false, digits, exponent: 0 });
    }
    Some(Number { is_negative, digits, exponent })
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for (a, b) in [("1", "1.0"), ("100", "1e2"), ("1.50E1", "15"), ("-0", "0"), ("0.0e7", "0"), ("12e-1", "1.2")] {
            assert!(is_same(a, b), "{a} {b}");
        }
        for (a, b) in [("1", "2"), ("1", "-1"), ("12345678901234567890123", "12345678901234567890124"), ("1e400", "1e401"), ("true", "1")] {
            assert!(!is_same(a, b), "{a} {b}");
        }
    }
}
