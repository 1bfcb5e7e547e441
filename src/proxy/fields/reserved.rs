//! Fields in which upstreams read a filter's own word: what a client sent in them goes no further.
//!
//! Filters may read it while they decide; it is gone before the first of them writes to the header that goes upstream. Some
//! upstreams take `_` for `-`, so a name with one for the other counts as the same ([`is_same`]).

use http::{HeaderMap, HeaderName};

use crate::fields::is_same;

/// The names that the filters of one configuration own.
#[derive(Debug, Default)]
pub struct Owned {
    names: Vec<HeaderName>,
    /// A bit for each length of a name, so that most fields of a request are let by without a comparison.
    lengths: u64,
}

impl Owned {
    /// Whether a field is one of them, in any spelling.
    pub fn holds(&self, name: &HeaderName) -> bool {
        self.lengths & bit(name) != 0 && self.names.iter().any(|owned| is_same(owned.as_str(), name.as_str()))
    }

    /// Takes away all of them.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let gone: Vec<HeaderName> = headers.keys().filter(|name| self.holds(name)).cloned().collect();
        gone.iter().for_each(|name| drop(headers.remove(name)));
    }
}

impl FromIterator<HeaderName> for Owned {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let mut owned = Self::default();
        for name in names {
            if !owned.holds(&name) {
                owned.lengths |= bit(&name);
                owned.names.push(name);
            }
        }
        owned
    }
}

fn bit(name: &HeaderName) -> u64 {
    1 << (name.as_str().len() % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&'static str]) -> Owned {
        names.iter().map(|name| HeaderName::from_static(name)).collect()
    }

    #[test]
    fn every_spelling_of_an_owned_name_is_stripped_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for name in ["x-user-id", "x_user_id", "x-user_id", "x.user~id", "x-user-ids", "x-other-i", "user-id"] {
            headers.append(HeaderName::from_static(name), "1".parse().unwrap());
        }
        owned(&["x-user-id"]).strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["user-id", "x-other-i", "x-user-ids"]);
    }

    #[test]
    fn a_name_owned_twice_is_one_name() {
        assert_eq!(owned(&["x-user", "x_user", "x-user"]).names.len(), 1);
    }

    #[test]
    fn names_longer_than_the_bits_are_told_apart_by_comparison() {
        let long: &'static str = "x-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert!(owned(&[long]).holds(&HeaderName::from_static(long)));
        assert!(!owned(&[long]).holds(&HeaderName::from_static(&long[64..])));
    }
}
