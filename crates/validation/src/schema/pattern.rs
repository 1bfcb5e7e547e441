//! Whether a pattern could be enforced.

use jsonschema::PatternOptions;
use serde_json::json;

use super::library::{PATTERN_BYTES, PATTERN_STEPS};

/// Why a pattern cannot be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternFault {
    /// It is none.
    Syntax,
    /// It is one, and larger than is let run.
    Costly,
}

/// What is wrong with a pattern.
pub fn pattern_fault(pattern: &str) -> Option<PatternFault> {
    let compiles = |pattern: &str| {
        let options = PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS).size_limit(PATTERN_BYTES);
        jsonschema::options().with_pattern_options(options).build(&json!({ "pattern": pattern })).is_ok()
    };
    match () {
        () if compiles(pattern) => None,
        () if compiles(&once(pattern)) => Some(PatternFault::Costly),
        () => Some(PatternFault::Syntax),
    }
}

/// The pattern with each counted repetition taken once, which is as small as it gets.
fn once(pattern: &str) -> String {
    let (mut small, mut rest) = (String::with_capacity(pattern.len()), pattern);
    while let Some((before, after)) = rest.split_once('{') {
        small.push_str(before);
        let end = after.find('}').filter(|end| *end > 0 && after[..*end].bytes().all(|byte| byte.is_ascii_digit() || byte == b','));
        (_, rest) = match end {
            Some(end) => (small.push_str("{1}"), &after[end + 1..]),
            None => (small.push('{'), after),
        };
    }
    small.push_str(rest);
    small
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_good_costly_or_none() {
        for (pattern, fault) in [
            ("^[a-z]{1,64}$", None),
            ("^(?!x)[\\w\\-]+$", None),
            ("abc[", Some(PatternFault::Syntax)),
            ("^(\\w{1,500}){1,100}$", Some(PatternFault::Costly)),
            ("^[\\p{L}\\s]{1,256}[\\p{L}\\s]{1,256}$", Some(PatternFault::Costly)),
        ] {
            assert_eq!(pattern_fault(pattern), fault, "{pattern}");
        }
    }
}
