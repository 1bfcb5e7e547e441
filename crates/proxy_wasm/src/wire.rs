//! Maps of fields as they cross the border: a count, the lengths, then names and values with a zero behind each. Little-endian.

use crate::abi::MOST_FIELDS;

/// A map that a guest wrote, of which count and lengths were judged. Nothing was copied.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'m> {
    bytes: &'m [u8],
    count: usize,
}

impl<'m> Pairs<'m> {
    /// `None` when it is not what it should be, or has too many fields. No bytes are no fields.
    pub fn read(bytes: &'m [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self { bytes, count: 0 });
        }
        let count = number(bytes, 0)?;
        let mut end = 4usize.checked_add(count.checked_mul(8)?)?;
        if count > MOST_FIELDS || end > bytes.len() {
            return None;
        }
        for at in 0..2 * count {
            end = end.checked_add(number(bytes, 4 + 4 * at)?)?.checked_add(1)?;
        }
        (end <= bytes.len()).then_some(Self { bytes, count })
    }

    /// Name and value of each.
    pub fn iter(self) -> impl Iterator<Item = (&'m [u8], &'m [u8])> {
        let mut at = 4 + 8 * self.count;
        (0..self.count).map(move |nth| {
            let mut next = |place: usize| {
                let length = number(self.bytes, place).unwrap_or_default();
                let part = self.bytes.get(at..at + length).unwrap_or_default();
                at += length + 1;
                part
            };
            let name = next(4 + 8 * nth);
            (name, next(8 + 8 * nth))
        })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(four)).ok()
}

/// Writes a map. `fields` is asked twice: for the lengths, then for the bytes. No fields are no bytes.
pub fn write<'f, I: Iterator<Item = (&'f [u8], &'f [u8])>>(out: &mut Vec<u8>, fields: impl Fn() -> I) {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let count = u32::try_from(fields().count()).unwrap_or(u32::MAX);
    if count == 0 {
        return;
    }
    out.extend_from_slice(&count.to_le_bytes());
    for (name, value) in fields() {
        out.extend_from_slice(&size(name));
        out.extend_from_slice(&size(value));
    }
    for (name, value) in fields() {
        for part in [name, value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, || fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        out
    }

    #[test]
    fn what_was_written_is_read_again() {
        let fields = [("a", "1"), ("empty", ""), ("a", "two")];
        let bytes = written(&fields);
        let read: Vec<_> = Pairs::read(&bytes).expect("it is legal").iter().collect();
        let expected: Vec<_> = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        assert_eq!(read, expected);
        assert!(written(&[]).is_empty() && Pairs::read(&[]).is_some_and(|pairs| pairs.iter().next().is_none()));
    }

    #[test]
    fn what_does_not_hold_what_it_says_is_refused() {
        let good = written(&[("name", "value")]);
        for cut in 1..good.len() {
            assert!(Pairs::read(&good[..cut]).is_none(), "{cut}");
        }
        for (at, value) in [(0, 2u32), (0, u32::MAX), (0, 0x2000_0000), (4, u32::MAX), (8, 7)] {
            let mut bad = good.clone();
            bad[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert!(Pairs::read(&bad).is_none(), "{at} {value}");
        }
        let many = vec![("a", ""); MOST_FIELDS + 1];
        assert!(Pairs::read(&written(&many)).is_none());
        assert!(Pairs::read(&written(&many[1..])).is_some());
    }
}
