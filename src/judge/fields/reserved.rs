//! Fields that only filters may write: what a client sends in them never reaches an upstream.
//!
//! Filters may read a client's value while they decide. It is removed before the first filter writes to the head that goes upstream.
//! Some upstreams read `_` as `-`, so names that differ in these only are the same name ([`is_same`]).

use http::{HeaderMap, HeaderName};

use crate::fields::is_same;

/// The fields that the filters of one configuration reserve.
#[derive(Debug, Default)]
pub struct ReservedFields {
    names: Vec<HeaderName>,
    /// One bit for each length of a name: most fields of a request need no comparison.
    lengths: u64,
}

impl ReservedFields {
    /// Whether a field is reserved, in any spelling.
    pub fn holds(&self, name: &HeaderName) -> bool {
        self.lengths & bit(name) != 0 && self.names.iter().any(|reserved| is_same(reserved.as_str(), name.as_str()))
    }

    /// Removes all reserved fields.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let gone: Vec<HeaderName> = headers.keys().filter(|name| self.holds(name)).cloned().collect();
        gone.iter().for_each(|name| drop(headers.remove(name)));
    }
}

impl FromIterator<HeaderName> for ReservedFields {
    fn from_iter<I: IntoIterator<Item = HeaderName>>(names: I) -> Self {
        let mut reserved = Self::default();
        for name in names {
            if !reserved.holds(&name) {
                reserved.lengths |= bit(&name);
                reserved.names.push(name);
            }
        }
        reserved
    }
}

fn bit(name: &HeaderName) -> u64 {
    1 << (name.as_str().len() % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserved(names: &[&'static str]) -> ReservedFields {
        names.iter().map(|name| HeaderName::from_static(name)).collect()
    }

    #[test]
    fn every_spelling_of_a_reserved_name_is_stripped_and_nothing_else() {
        let mut headers = HeaderMap::new();
        for name in ["x-user-id", "x_user_id", "x-user_id", "x.user~id", "x-user-ids", "x-other-i", "user-id"] {
            headers.append(HeaderName::from_static(name), "1".parse().unwrap());
        }
        reserved(&["x-user-id"]).strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["user-id", "x-other-i", "x-user-ids"]);
    }

    #[test]
    fn a_name_reserved_twice_is_one_name() {
        assert_eq!(reserved(&["x-user", "x_user", "x-user"]).names.len(), 1);
    }

    #[test]
    fn names_longer_than_the_bits_are_told_apart_by_comparison() {
        let long: &'static str = "x-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        assert!(reserved(&[long]).holds(&HeaderName::from_static(long)));
        assert!(!reserved(&[long]).holds(&HeaderName::from_static(&long[64..])));
    }
}
