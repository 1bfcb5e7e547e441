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
    let compiles = |bytes: usize| {
        let options = PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS).size_limit(bytes);
        jsonschema::options().with_pattern_options(options).build(&json!({ "pattern": pattern })).is_ok()
    };
    match () {
        () if compiles(PATTERN_BYTES) => None,
        () if compiles(64 * PATTERN_BYTES) => Some(PatternFault::Costly),
        () => Some(PatternFault::Syntax),
    }
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
        ] {
            assert_eq!(pattern_fault(pattern), fault, "{pattern}");
        }
    }
}
