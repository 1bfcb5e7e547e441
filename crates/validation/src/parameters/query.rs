//! The query.

use super::{
    Judging, Taken,
    named::{MOST_PAIRS, Named, too_many},
    read::{Notation, Parameter},
    text::{Escapes, decoded, pair},
    wrong::ENCODING,
};
use crate::finding::{Finding, Part};

#[derive(Debug)]
pub(super) enum Query {
    /// Parameters with names.
    Named(Named),
    /// One that is the whole query.
    Whole(Parameter),
}

impl Default for Query {
    fn default() -> Self {
        Self::Named(Named::default())
    }
}

impl Query {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(named) if named.is_empty())
    }

    /// Judges it, and says how many pairs are nobody's.
    pub(super) fn judge(&self, query: &[u8], count_unknown: bool, judging: &mut Judging<'_>) -> usize {
        match self {
            Self::Whole(parameter) => {
                whole(parameter, query, judging);
                0
            }
            Self::Named(named) if named.is_empty() && !count_unknown => 0,
            Self::Named(named) => self::named(named, query, judging),
        }
    }
}

fn named(named: &Named, query: &[u8], judging: &mut Judging<'_>) -> usize {
    let mut taken = Vec::new();
    let mut unknown = 0;
    for (number, pair) in pairs(query).enumerate() {
        if number >= MOST_PAIRS {
            judging.push(too_many(Part::Query));
            return unknown;
        }
        let (name, value) = pair;
        match decoded(name, Escapes::Form) {
            Some(name) => unknown += usize::from(!named.take(name, value, &mut taken)),
            // To a reader that lets a broken escape stand it may be a member of some object.
            None => judging.push(Finding::new(Part::Query, ENCODING.rule, "has a name with a broken escape, or that is not UTF-8")),
        }
    }
    named.settle(taken, judging);
    unknown
}

fn whole(parameter: &Parameter, query: &[u8], judging: &mut Judging<'_>) {
    if query.is_empty() {
        return parameter.missing(judging);
    }
    if !matches!(&parameter.value, Some(value) if matches!(value.notation, Notation::Form)) {
        return parameter.judge(&mut [Taken { parameter: 0, name: None, raw: query }], judging);
    }
    let mut taken = Vec::new();
    for (name, raw) in pairs(query) {
        let Some(name) = decoded(name, Escapes::Form) else { return judging.push(parameter.finding(ENCODING)) };
        taken.push(Taken { parameter: 0, name: Some(name), raw });
        if taken.len() > MOST_PAIRS {
            return judging.push(too_many(Part::Query));
        }
    }
    parameter.judge(&mut taken, judging);
}

/// Names and values, raw. What has no `=` is a name with an empty value.
fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs.map(|text| pair(text).unwrap_or((text, b"")))
}
