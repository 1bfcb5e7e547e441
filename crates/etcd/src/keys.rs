//! Which keys are mirrored.

use std::sync::Arc;

use crate::{failure::Lost, mirror::Refused};

/// Keys that are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keys {
    /// One key.
    One(String),
    /// Every key that begins with this.
    Prefix(String),
}

impl Keys {
    /// What each of the keys begins with.
    pub fn beginning(&self) -> &str {
        match self {
            Self::One(text) | Self::Prefix(text) => text,
        }
    }

    /// Whether a key is meant.
    pub fn hold(&self, key: &[u8]) -> bool {
        match self {
            Self::One(one) => one.as_bytes() == key,
            Self::Prefix(prefix) => key.starts_with(prefix.as_bytes()),
        }
    }
}

/// Keys between two bounds, as etcd is asked for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    keys: Keys,
    end: Vec<u8>,
}

impl Range {
    fn of(keys: Keys) -> Self {
        let mut end = match &keys {
            // etcd takes a range without an end for one key.
            Keys::One(_) => Vec::new(),
            Keys::Prefix(prefix) => prefix.as_bytes().to_vec(),
        };
        // UTF-8 has no byte 0xff, so each byte has a next one.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { keys, end }
    }

    /// The ranges that hold all these keys, each key in one of them: two prefixes have nothing in common, unless one begins with the other.
    pub(crate) fn all(keys: &[Keys]) -> Vec<Self> {
        let mut sorted = keys.to_vec();
        // Whatever holds another comes before it.
        sorted.sort_by(|a, b| a.beginning().cmp(b.beginning()).then_with(|| b.cmp(a)));
        let mut ranges: Vec<Self> = Vec::new();
        for keys in sorted {
            let inside =
                |range: &Self| range.keys == keys || (!range.end.is_empty() && keys.beginning().starts_with(range.keys.beginning()));
            if !ranges.last().is_some_and(inside) {
                ranges.push(Self::of(keys));
            }
        }
        ranges
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn begin(&self) -> Vec<u8> {
        self.keys.beginning().as_bytes().to_vec()
    }

    pub(crate) fn end(&self) -> Vec<u8> {
        self.end.clone()
    }

    /// The key, if it was asked for.
    pub(crate) fn own<'a>(&self, key: &'a [u8]) -> Result<&'a [u8], Lost> {
        if self.keys.hold(key) { Ok(key) } else { Err(Lost::Broken("a key that was not asked for")) }
    }
}

/// What is asked for now.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) ranges: Arc<[Range]>,
    /// What is left out, as etcd has refused it.
    pub(crate) refused: Arc<[Refused]>,
}

impl Scope {
    pub(crate) fn all(keys: &[Keys]) -> Self {
        Self { ranges: Range::all(keys).into(), refused: Arc::from([]) }
    }

    /// The same without one more range; `None` when nothing would be left.
    pub(crate) fn without(&self, refused: &Refused) -> Option<Self> {
        let ranges: Arc<[Range]> = self.ranges.iter().filter(|range| range.keys != refused.keys).cloned().collect();
        let refused = self.refused.iter().chain([refused]).cloned().collect();
        (!ranges.is_empty()).then_some(Self { ranges, refused })
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.refused.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(keys: &[Keys]) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Range::all(keys).iter().map(|range| (text(range.begin()), text(range.end()))).collect()
    }

    #[test]
    fn a_key_that_another_range_holds_is_asked_for_once() {
        let (one, prefix) = (|text: &str| Keys::One(text.into()), |text: &str| Keys::Prefix(text.into()));
        let keys = [prefix("/s/pets/"), one("/s/pets/1"), one("/t"), prefix("/s/pets/cats/"), one("/t"), one("/t/1"), prefix("/s/orders/")];
        let expected = [("/s/orders/", "/s/orders0"), ("/s/pets/", "/s/pets0"), ("/t", ""), ("/t/1", "")];
        assert_eq!(ranges(&keys), expected.map(|(begin, end)| (begin.to_owned(), end.to_owned())));
        assert_eq!(ranges(&[one("/s"), prefix("/s")]), [("/s".to_owned(), "/t".to_owned())]);
        assert_eq!(ranges(&[prefix("/"), prefix("/s"), one("/"), one("/s")]), [("/".to_owned(), "0".to_owned())]);
    }

    #[test]
    fn a_key_that_was_not_asked_for_is_not_taken() {
        let [range] = <[Range; 1]>::try_from(Range::all(&[Keys::One("/s".into())])).unwrap();
        assert!(range.own(b"/s").is_ok() && range.own(b"/s/1").is_err());
        let [range] = <[Range; 1]>::try_from(Range::all(&[Keys::Prefix("/s".into())])).unwrap();
        assert!(range.own(b"/s/1").is_ok() && range.own(b"/t").is_err());
    }
}
