//! `grpc-timeout`: how long a client waits for the outcome of its call, from its head on.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::RequestHeader;
use tollgate_filter_api::{Answer, Cause, CauseKind, Rule, Shown};

use crate::chain::gateway as reasons;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits of a timeout at most.
const DIGITS: usize = 8;
/// Units, from the finest that is written on: letter and nanoseconds.
const UNITS: [(u8, u64); 6] =
    [(b'n', 1), (b'u', 1_000), (b'm', 1_000_000), (b'S', 1_000_000_000), (b'M', 60_000_000_000), (b'H', 3_600_000_000_000)];

/// When a call that began then must be over. `None` when the client waits for ever.
///
/// # Errors
/// The refusal of a field that says it otherwise than gRPC's protocol has it: who guesses a deadline would end calls too early or hold
/// them too long.
pub fn deadline(headers: &HeaderMap, begun: Instant) -> Result<Option<Instant>, Answer> {
    let mut values = headers.get_all(TIMEOUT).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match read(first.as_bytes()).filter(|_| values.next().is_none()) {
        Some(timeout) => Ok(begun.checked_add(timeout)),
        None => {
            let cause = Cause::new(CauseKind::Malformed, "field `grpc-timeout`", Rule::Fixed("gRPC over HTTP/2, Timeout"));
            Err(reasons::GRPC_TIMEOUT
                .because(cause.seen(Shown::bytes_sent(first.as_bytes())).wanted("one to eight digits and one of H M S m u n, once")))
        }
    }
}

/// Tells an upstream how much is left. Rounded down, so that it is never more than the client said.
///
/// # Errors
/// Never in practice.
pub fn tell(req: &mut RequestHeader, left: Duration) -> pingora::Result<()> {
    req.insert_header(TIMEOUT, written(left))
}

fn read(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let (_, nanoseconds) = UNITS.iter().find(|(letter, _)| letter == unit)?;
    if digits.is_empty() || digits.len() > DIGITS {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))?;
    // Eight digits of hours are less than a u128 of nanoseconds, and more than a u64 of them.
    let whole = u128::from(number) * u128::from(*nanoseconds);
    Some(Duration::new(u64::try_from(whole / 1_000_000_000).ok()?, u32::try_from(whole % 1_000_000_000).ok()?))
}

fn written(left: Duration) -> HeaderValue {
    let most = 10_u128.pow(DIGITS as u32);
    let left = left.as_nanos().max(1);
    let (letter, nanoseconds) = *UNITS.iter().find(|(_, unit)| left / u128::from(*unit) < most).unwrap_or(&UNITS[UNITS.len() - 1]);
    let mut bytes = [0; DIGITS + 1];
    let mut number = (left / u128::from(nanoseconds)).min(most - 1);
    let mut at = DIGITS;
    bytes[at] = letter;
    loop {
        at -= 1;
        bytes[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 || at == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&bytes[at..]).unwrap_or(HeaderValue::from_static("1n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_nothing_else() {
        let expected = [
            ("1H", 3_600_000_000_000_u64),
            ("2M", 120_000_000_000),
            ("00000003S", 3_000_000_000),
            ("4m", 4_000_000),
            ("5u", 5_000),
            ("99999999n", 99_999_999),
            ("0S", 0),
        ];
        for (text, nanoseconds) in expected {
            assert_eq!(read(text.as_bytes()), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
        assert_eq!(read(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for text in ["", "S", "1", "1s", "1h", "123456789S", "-1S", "+1S", "1.5S", " 1S", "1S ", "1SS"] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_left_is_written_in_the_finest_unit_that_holds_it_and_never_as_more() {
        let of = |nanoseconds| written(Duration::from_nanos(nanoseconds)).to_str().unwrap().to_owned();
        assert_eq!(of(0), "1n");
        assert_eq!(of(99_999_999), "99999999n");
        assert_eq!(of(100_000_999), "100000u");
        assert_eq!(of(100_000_000_000), "100000m");
        assert_eq!(of(3_600_000_000_000_000), "3600000S");
        assert_eq!(written(Duration::MAX).to_str().unwrap(), "99999999H");
        for left in [1, 7_919, 1_299_709, 179_424_673, 2_038_074_743_999] {
            let left = Duration::from_nanos(left);
            assert!(read(written(left).as_bytes()).unwrap() <= left);
        }
    }

    #[test]
    fn a_deadline_that_is_said_twice_or_cannot_be_read_is_refused() {
        let begun = Instant::now();
        let of = |values: &[&'static str]| {
            let headers = values.iter().map(|value| (TIMEOUT, HeaderValue::from_static(value))).collect();
            deadline(&headers, begun).map_err(|answer| answer.reason().id)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["2S"]), Ok(Some(begun + Duration::from_secs(2))));
        assert_eq!(of(&["2S", "2S"]), Err("grpc.timeout"));
        assert_eq!(of(&["soon"]), Err("grpc.timeout"));
    }
}
