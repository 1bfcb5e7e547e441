//! Fields, and the cookies in one of them.

use std::borrow::Cow;

use tollgate_filter_api::{HeaderName, HeaderValue};

use super::{
    Judging, Taken,
    named::{MOST_PAIRS, Named, too_many},
    read::Parameter,
    text::pair,
};
use crate::finding::Part;

/// A parameter in a field.
#[derive(Debug)]
pub(super) struct Field {
    pub name: HeaderName,
    pub parameter: Parameter,
}

impl Field {
    pub(super) fn judge<'r>(&self, mut values: impl Iterator<Item = &'r HeaderValue>, judging: &mut Judging<'_>) {
        let taken = |value: &'r HeaderValue| Taken { parameter: 0, name: None, raw: value.as_bytes().trim_ascii() };
        let Some(first) = values.next().map(taken) else { return self.parameter.missing(judging) };
        let Some(second) = values.next().map(taken) else { return self.parameter.judge(&mut [first], judging) };
        let mut all: Vec<Taken<'r>> = [first, second].into_iter().chain(values.map(taken)).collect();
        let is_list = self.parameter.value.as_ref().is_none_or(|value| value.wanted.is_array());
        if self.name.as_str() == "set-cookie" && !is_list {
            // The one field that is repeated and is no list (RFC 9110 §5.3).
            return all.iter_mut().for_each(|one| self.parameter.judge(std::slice::from_mut(one), judging));
        }
        self.parameter.judge(&mut all, judging);
    }
}

/// Judges the cookies (RFC 6265 §4.2.1).
pub(super) fn cookies<'r>(named: &Named, fields: impl Iterator<Item = &'r HeaderValue>, judging: &mut Judging<'_>) {
    let mut taken = Vec::new();
    let crumbs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    for (number, crumb) in crumbs.enumerate() {
        if number >= MOST_PAIRS {
            return judging.push(too_many(Part::Cookie));
        }
        let Some((name, value)) = pair(crumb) else { continue };
        // A name that is no UTF-8 is nobody's.
        let Ok(name) = std::str::from_utf8(name.trim_ascii()) else { continue };
        named.take(Cow::Borrowed(name), value.trim_ascii(), &mut taken);
    }
    named.settle(taken, judging);
}
