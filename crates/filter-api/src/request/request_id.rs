//! What a request is called.

use std::fmt;

/// A request's id: 128 bits, and the form they are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId {
    /// The bits.
    pub value: u128,
    /// Written as a UUID (RFC 9562), with dashes; otherwise as 32 hex digits.
    pub uuid: bool,
}

impl RequestId {
    /// Reads either form, in any case. Nothing else that a client may have sent is an id.
    pub fn parse(text: &[u8], uuid: bool) -> Option<Self> {
        let dashes = [8, 13, 18, 23];
        let dashed = text.len() == 36 && dashes.iter().all(|at| text[*at] == b'-');
        if !dashed && text.len() != 32 {
            return None;
        }
        let digits = text.iter().enumerate().filter(|(at, _)| !dashed || !dashes.contains(at));
        let value =
            digits.map(|(_, digit)| char::from(*digit).to_digit(16)).try_fold(0u128, |value, digit| Some(value << 4 | u128::from(digit?)));
        value.map(|value| Self { value, uuid })
    }

    /// A fresh one of these bits. As a UUID it says that it was made at random (version 4).
    pub fn fresh(bits: u128, uuid: bool) -> Self {
        let version = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        Self { value: if uuid { version } else { bits }, uuid }
    }

    /// How it is written, and how many bytes of that count.
    pub fn text(self) -> ([u8; 36], usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let (mut text, mut at) = ([b'-'; 36], 0);
        for (index, byte) in self.value.to_be_bytes().into_iter().enumerate() {
            if self.uuid && matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
            at += 2;
        }
        (text, at)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, length) = self.text();
        text[..length].iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "93bac548-d2de-4546-b106-880a5018460d";

    #[test]
    fn both_forms_are_read_and_each_is_written_as_asked() {
        let plain = UUID.replace('-', "");
        for text in [UUID.to_owned(), UUID.to_uppercase(), plain.clone(), plain.to_uppercase()] {
            assert_eq!(RequestId::parse(text.as_bytes(), true).unwrap().to_string(), UUID, "{text}");
            assert_eq!(RequestId::parse(text.as_bytes(), false).unwrap().to_string(), plain, "{text}");
        }
    }

    #[test]
    fn what_is_neither_form_is_no_id() {
        let cut = &UUID[1..];
        let moved = format!("9-{}", &UUID.replacen('-', "", 1)[1..]);
        for text in [
            "",
            "x",
            cut,
            moved.as_str(),
            &UUID.replace('d', "g"),
            &format!("{UUID}0"),
            &format!("+{}", &UUID.replace('-', "")[1..]),
            &UUID.replace('-', "_"),
        ] {
            assert!(RequestId::parse(text.as_bytes(), true).is_none(), "{text}");
        }
    }

    #[test]
    fn a_fresh_uuid_is_of_version_4_and_differs_where_the_bits_do() {
        let text = RequestId::fresh(u128::MAX, true).to_string();
        assert_eq!(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(RequestId::fresh(u128::MAX, false).to_string(), "f".repeat(32));
        assert_ne!(RequestId::fresh(1, true), RequestId::fresh(2, true));
    }
}
