//! Extensions by their names: which are known where they stand, and which are slips.
//!
//! An extension that nobody reads demands nothing, so a slip in its name can open an operation. A name that is close to a known one, or
//! that stands where it has no effect, is therefore an error. Other unknown `x-wso2-*` are warnings. It does not protect against a name
//! that is like none of ours, nor judge values.

use tollgate_filter_api::{Problem, Problems, edits};

use crate::input::sources::short;
use crate::input::spot::Spot;

/// What the extensions of the reference product begin with.
pub(crate) const REFERENCE: &str = "x-wso2-";
/// What those for a filter begin with.
pub(crate) const GENERIC: &str = "x-tollgate-";

/// Hosts that an API answers to: no filter.
pub(crate) const HOSTS: &str = "x-tollgate-hosts";

/// Where extensions stand.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Level {
    Api,
    Path,
    Operation,
}

/// Where an extension is read.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Api,
    Operation,
    Both,
}

impl Place {
    fn has(self, level: Level) -> bool {
        match level {
            Level::Api => self != Self::Operation,
            Level::Path => false,
            Level::Operation => self != Self::Api,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Api => "it belongs at the root of the document",
            Self::Operation => "it belongs in an operation",
            Self::Both => "it belongs at the root of the document or in an operation",
        }
    }
}

/// Every extension of the reference product, and of ours those that are for no filter.
const KNOWN: [(&str, Place); 19] = [
    (HOSTS, Place::Api),
    ("x-wso2-basePath", Place::Api),
    ("x-wso2-production-endpoints", Place::Both),
    ("x-wso2-sandbox-endpoints", Place::Both),
    ("x-wso2-endpoints", Place::Api),
    ("x-wso2-throttling-tier", Place::Both),
    ("x-wso2-cors", Place::Api),
    ("x-wso2-disable-security", Place::Both),
    ("x-wso2-request-interceptor", Place::Both),
    ("x-wso2-response-interceptor", Place::Both),
    ("x-wso2-auth-header", Place::Api),
    ("x-wso2-response-cache", Place::Api),
    ("x-wso2-application-security", Place::Both),
    ("x-wso2-transports", Place::Api),
    ("x-wso2-mutual-ssl", Place::Api),
    ("x-wso2-owner", Place::Api),
    ("x-throttling-tier", Place::Both),
    ("x-scope", Place::Operation),
    ("x-auth-type", Place::Operation),
];

/// What is to be thought of a key.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// It is none of ours.
    Foreign,
    /// It is read, here or elsewhere; for `x-tollgate-*`, whatever filter it names.
    Known(&'static str),
    /// It is nearly one of ours. `surely`: it has a prefix that only ours have.
    Slip { meant: String, surely: bool },
    /// It has our prefix, and is like none of ours.
    Unknown,
}

/// Reports keys that have no effect where they stand. `written_for_us`: the definition uses extensions of ours.
pub(crate) fn check(spot: &Spot<'_>, level: Level, written_for_us: bool, problems: &mut Problems) {
    for (key, value) in spot.entries() {
        let has_effect = |(name, place): &(&str, Place)| *name == key && place.has(level);
        if KNOWN.iter().any(has_effect) || (key.starts_with(GENERIC) && key != HOSTS) {
            continue;
        }
        problems.0.extend(judge(key, "here", written_for_us).map(|problem| value.place(problem)));
    }
}

/// What is wrong with a key in an object whose extensions nobody reads; `object` is what messages call it.
pub(crate) fn elsewhere(key: &str, object: &str, written_for_us: bool) -> Option<Problem> {
    judge(key, &format!("in {object}"), written_for_us)
}

/// `place` is where the key stands and has no effect.
fn judge(key: &str, place: &str, written_for_us: bool) -> Option<Problem> {
    let problem = |surely: bool, code, message| {
        if surely || written_for_us { Problem::error(code, message) } else { Problem::warning(code, message) }
    };
    match verdict(key) {
        Verdict::Foreign => None,
        Verdict::Known(name) => {
            let hint = KNOWN.iter().find(|(known, _)| *known == name);
            let hint = hint.map_or("it belongs at the root of the document, in a path or in an operation", |(_, place)| place.hint());
            let message = format!("`{}` has no effect {place}", short(key));
            Some(problem(key.starts_with(REFERENCE) || key.starts_with(GENERIC), "extension.place", message).hint(hint))
        }
        Verdict::Slip { meant, surely } => {
            let message = format!("unknown extension `{}`, and what it is meant to ask for would not be done", short(key));
            let hint = format!("did you mean `{meant}`? if not, give it a name that is less like it");
            Some(problem(surely, "extension.unknown", message).hint(hint))
        }
        Verdict::Unknown => Some(Problem::warning("extension.unknown", format!("unknown extension `{}`", short(key)))),
    }
}

fn verdict(key: &str) -> Verdict {
    if let Some((name, _)) = KNOWN.iter().find(|(name, _)| *name == key) {
        return Verdict::Known(name);
    }
    if key.starts_with(GENERIC) {
        return Verdict::Known(GENERIC);
    }
    if let Some(rest) = key.strip_prefix(REFERENCE) {
        return near(rest).map_or(Verdict::Unknown, |meant| Verdict::Slip { meant: meant.to_owned(), surely: true });
    }
    // Something else's keys, a template of a path for instance, are not compared.
    if key.len() > 64 || key.starts_with('/') {
        return Verdict::Foreign;
    }
    let folded = fold(key);
    if let Some(filter) = generic(&folded) {
        return Verdict::Slip { meant: format!("{GENERIC}{filter}"), surely: true };
    }
    let prefixed = KNOWN.iter().filter(|(name, _)| name.starts_with(REFERENCE)).map(|(name, _)| *name);
    let close = prefixed.filter_map(|name| Some((within(&folded, name, 2)?, name)));
    if let Some((_, meant)) = close.min_by_key(|(edits, _)| *edits) {
        return Verdict::Slip { meant: meant.to_owned(), surely: true };
    }
    match folded.strip_prefix('x').and_then(unprefixed) {
        Some(meant) => Verdict::Slip { meant: meant.to_owned(), surely: false },
        None => Verdict::Foreign,
    }
}

/// A known extension without what it begins with.
fn rest_of(name: &'static str) -> &'static str {
    name.strip_prefix(REFERENCE).or_else(|| name.strip_prefix("x-")).unwrap_or(name)
}

/// The extension that a name behind `x-wso2-` is a slip of: a few edits away, the same words in another order or with more besides, or
/// its beginning.
fn near(rest: &str) -> Option<&'static str> {
    let names = || KNOWN.iter().map(|(name, _)| *name);
    let (found, folded) = (words(rest), fold(rest));
    let close = names().filter_map(|name| Some((within(&folded, rest_of(name), allowed(rest_of(name)))?, name)));
    if let Some((_, name)) = close.min_by_key(|(edits, _)| *edits) {
        return Some(name);
    }
    names().find(|name| {
        let known = words(rest_of(name));
        let has_all = known.len() > 1 && known.iter().all(|word| found.contains(word));
        has_all || (folded.len() >= 4 && fold(rest_of(name)).starts_with(&folded))
    })
}

/// Edits within which a word is taken for a slip of another.
fn allowed(word: &str) -> usize {
    (word.len() / 4).max(1)
}

/// The extension that a name behind `x-` is a slip of, where one of several words was meant.
fn unprefixed(rest: &str) -> Option<&'static str> {
    let is_meant = |name: &'static str| {
        let of_reference = name.starts_with(REFERENCE);
        within(rest, rest_of(name), usize::from(!of_reference)).is_some() && (!of_reference || words(rest_of(name)).len() > 1)
    };
    KNOWN.iter().map(|(name, _)| *name).find(|name| is_meant(name))
}

/// The filter that is meant by what is nearly `x-tollgate-<filter>`.
fn generic(folded: &str) -> Option<String> {
    let begins = |length: usize| folded.get(..length).is_some_and(|begin| within(begin, "xtollgate", 1).is_some());
    let length = [9, 8, 10].into_iter().find(|length| begins(*length))?;
    let filter = folded.get(length..)?;
    Some(if filter.is_empty() { "<filter>".to_owned() } else { filter.to_owned() })
}

/// The edits between a folded name and a known one, when they are no more than allowed. Lengths are compared first, as a definition may
/// have a hundred thousand names.
fn within(folded: &str, name: &str, allowed: usize) -> Option<usize> {
    let length = name.bytes().filter(u8::is_ascii_alphanumeric).count();
    let close = length.abs_diff(folded.len()) <= allowed;
    close.then(|| edits(folded, name)).filter(|edits| *edits <= allowed)
}

/// Letters and digits, in lower case. What else a name holds, a hyphen that is none for instance, is not seen by who reads it either.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The words of a name, in lower case and without a plural's `s`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            let begins = !last.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && last.is_ascii_lowercase());
            match words.last_mut() {
                Some(word) if !begins => word.push(c.to_ascii_lowercase()),
                _ => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        last = c;
    }
    words.into_iter().map(|word| word.strip_suffix('s').filter(|stem| stem.len() > 2).map_or(word.clone(), str::to_owned)).collect()
}

#[cfg(test)]
#[path = "tests/extensions.rs"]
mod tests;
