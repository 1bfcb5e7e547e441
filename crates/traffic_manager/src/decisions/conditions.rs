//! The conditions under which a decision holds: `evaluatedConditions`, a base64 text of JSON.
//!
//! A list of groups, of which one must hold; of a group, everything must. Patterns are searched for in a time that grows with the text
//! alone. A field or parameter that came several times matches if one of its values does, so that a second one is no way out.

use std::{collections::BTreeMap, net::IpAddr};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    bounds::{LONGEST_CONDITIONS, LONGEST_KEY, MOST_CONDITIONS},
    json::{self, Bad},
};

/// Most memory of a pattern, in bytes.
const LARGEST_PATTERN: usize = 16 << 10;

/// As many entries as a pattern takes room for: of all keys together there are no more than some 4000.
const PATTERN_WEIGHT: usize = 24;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What a request has that conditions ask for. Each method says whether one of the values is what is looked for.
pub trait Facts {
    /// Of a field of the request's head.
    fn header(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool;
    /// Of a parameter of the query, decoded.
    fn query(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool;
    /// Of a claim of the caller's credential.
    fn claim(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool;
}

/// Conditions that hold together.
#[derive(Debug)]
pub(crate) struct Group {
    addresses: Option<Addresses>,
    headers: Option<Values>,
    query: Option<Values>,
    claims: Option<Values>,
}

/// A range of addresses, or all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub first: u128,
    pub last: u128,
    pub invert: bool,
}

#[derive(Debug)]
struct Values {
    patterns: Vec<(Box<str>, Regex)>,
    invert: bool,
}

/// As it is written. A condition that is not known here cannot be decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ipspecific: Option<WrittenAddresses>,
    iprange: Option<WrittenAddresses>,
    header: Option<WrittenValues>,
    queryparametertype: Option<WrittenValues>,
    jwtclaims: Option<WrittenValues>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WrittenAddresses {
    specific_ip: Option<Box<RawValue>>,
    starting_ip: Option<Box<RawValue>>,
    ending_ip: Option<Box<RawValue>>,
    #[serde(default)]
    invert: bool,
}

#[derive(Deserialize)]
struct WrittenValues {
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    invert: bool,
}

/// Reads the groups.
pub(crate) fn read(base64: &str) -> Result<Vec<Group>, Bad> {
    if base64.len() > LONGEST_CONDITIONS {
        return Err(Bad("conditions that are too long"));
    }
    let engine = if base64.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let text = engine.decode(base64).map_err(|_| Bad("conditions that are not base64"))?;
    let written: Vec<Written> = json::read(&text, "conditions of another form")?;
    if written.len() > MOST_CONDITIONS {
        return Err(Bad("too many conditions"));
    }
    written.into_iter().map(Group::new).collect()
}

impl Group {
    fn new(written: Written) -> Result<Self, Bad> {
        let Written { ipspecific, iprange, header, queryparametertype, jwtclaims } = written;
        let addresses = match (ipspecific, iprange) {
            (Some(one), _) => Some(Addresses::of(one.specific_ip.as_deref(), one.specific_ip.as_deref(), one.invert)?),
            (None, Some(range)) => Some(Addresses::of(range.starting_ip.as_deref(), range.ending_ip.as_deref(), range.invert)?),
            (None, None) => None,
        };
        let values = |written: Option<WrittenValues>| written.map(Values::new).transpose();
        Ok(Self { addresses, headers: values(header)?, query: values(queryparametertype)?, claims: values(jwtclaims)? })
    }

    /// How much room it takes, in entries.
    pub(crate) fn weight(&self) -> usize {
        let values = [&self.headers, &self.query, &self.claims].into_iter().flatten();
        1 + PATTERN_WEIGHT * values.map(|values| values.patterns.len()).sum::<usize>()
    }

    /// Whether all of it holds.
    pub(crate) fn holds(&self, client: IpAddr, facts: &impl Facts) -> bool {
        self.addresses.is_none_or(|addresses| addresses.cover(client))
            && self.headers.as_ref().is_none_or(|values| values.hold(|name, is| facts.header(name, is)))
            && self.query.as_ref().is_none_or(|values| values.hold(|name, is| facts.query(name, is)))
            && self.claims.as_ref().is_none_or(|values| values.hold(|name, is| facts.claim(name, is)))
    }
}

impl Addresses {
    fn of(first: Option<&RawValue>, last: Option<&RawValue>, invert: bool) -> Result<Self, Bad> {
        let (Some(first), Some(last)) = (first, last) else { return Err(Bad("a condition without its address")) };
        Self::new(first.get(), last.get(), invert)
    }

    /// From one address to another, each written as usual or as the number that its bits are.
    pub(crate) fn new(first: &str, last: &str, invert: bool) -> Result<Self, Bad> {
        let [first, last] = [first, last].map(address);
        let range = Self { first: first?, last: last?, invert };
        if range.first > range.last { Err(Bad("a range of addresses that ends before it begins")) } else { Ok(range) }
    }

    /// Whether an address is one of them.
    pub(crate) fn cover(self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&number(address)) != self.invert
    }
}

/// An address as the number that its bits are, as the reference product compares them.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(text: &str) -> Result<u128, Bad> {
    let text = text.trim_matches('"');
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.or_else(|| text.parse().ok().map(self::number)).ok_or(Bad("an address that is none"))
}

impl Values {
    fn new(written: WrittenValues) -> Result<Self, Bad> {
        if written.values.len() > MOST_CONDITIONS {
            return Err(Bad("too many conditions"));
        }
        let patterns = written.values.into_iter().map(|(name, pattern)| {
            if name.len() > LONGEST_KEY || pattern.len() > LONGEST_KEY {
                return Err(Bad("a condition that is too long"));
            }
            // The reference's classes such as \w are those of ASCII.
            let pattern = RegexBuilder::new(&pattern).unicode(false).size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN).build();
            Ok((name.into_boxed_str(), pattern.map_err(|_| Bad("a pattern that cannot be searched for"))?))
        });
        Ok(Self { patterns: patterns.collect::<Result<_, _>>()?, invert: written.invert })
    }

    fn hold(&self, has: impl Fn(&str, &dyn Fn(&[u8]) -> bool) -> bool) -> bool {
        self.patterns.iter().all(|(name, pattern)| has(name, &|value| pattern.is_match(value))) != self.invert
    }
}

#[cfg(test)]
#[path = "../tests/conditions.rs"]
mod tests;
