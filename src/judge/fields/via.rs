//! `Via`: detects requests that loop (RFC 9110 §7.6.3).
//!
//! The gateway adds its name to every request that it sends upstream, and refuses a request that already has it. Does **not** detect
//! a loop in which somebody removes the field.

use std::{
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use http::{HeaderValue, Version};
use tollgate_filter_api::Problem;

use crate::config::Forwarding;

/// A name that hardly any other process has: a gateway behind another one must not take that one's name for its own.
static OWN: LazyLock<String> = LazyLock::new(|| format!("tollgate-{:08x}", RandomState::new().hash_one(std::process::id()) as u32));

/// The gateway's entry in `Via`.
#[derive(Debug)]
pub struct Via {
    pseudonym: Box<str>,
    returns: usize,
    /// For HTTP/1.0, 1.1 and 2.
    values: [HeaderValue; 3],
}

impl Via {
    /// Reads the settings.
    ///
    /// # Errors
    /// A pseudonym that is not a token.
    pub fn new(settings: &Forwarding) -> Result<Self, Problem> {
        if let Some(problem) = settings.judge_pseudonym() {
            return Err(problem);
        }
        let pseudonym = settings.pseudonym.as_deref().unwrap_or(&OWN);
        let value = |version: &str| {
            let value = HeaderValue::try_from(format!("{version} {pseudonym}"));
            value.map_err(|_| Problem::error("config.pseudonym", format!("{pseudonym:?} is no pseudonym")))
        };
        Ok(Self { values: [value("1.0")?, value("1.1")?, value("2.0")?], pseudonym: pseudonym.into(), returns: settings.returns.into() })
    }

    /// The entry for a request of this HTTP version.
    pub fn value(&self, version: Version) -> HeaderValue {
        let [old, usual, two] = &self.values;
        match version {
            Version::HTTP_10 => old,
            Version::HTTP_2 => two,
            _ => usual,
        }
        .clone()
    }

    /// How often a value names the gateway.
    pub fn visits(&self, value: &HeaderValue) -> usize {
        let words = value.as_bytes().split(|byte| matches!(byte, b',' | b' ' | b'\t'));
        words.filter(|word| word.eq_ignore_ascii_case(self.pseudonym.as_bytes())).count()
    }

    /// Whether a request that has passed the gateway so often is in a loop.
    pub fn is_circle(&self, visits: usize) -> bool {
        visits > self.returns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(pseudonym: Option<&str>, returns: u8) -> Via {
        Via::new(&Forwarding { pseudonym: pseudonym.map(str::to_owned), returns, ..Forwarding::default() }).unwrap()
    }

    #[test]
    fn what_is_written_has_the_version_that_the_request_came_by() {
        let via = via(Some("edge"), 0);
        let written = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2].map(|version| via.value(version));
        assert_eq!(written, ["1.0 edge", "1.1 edge", "2.0 edge"]);
    }

    #[test]
    fn the_gateway_knows_itself_and_nobody_else() {
        let via = via(Some("edge"), 0);
        for (value, visits) in [
            ("1.1 edge", 1),
            ("1.0 fred, 2.0 EDGE (Tollgate)", 1),
            ("1.1 edge,1.1 other,1.1\tedge", 2),
            ("HTTP/1.1 edge", 1),
            ("1.1 edge-2, 1.1 my.edge, 1.1 edgeware", 0),
            ("", 0),
        ] {
            assert_eq!(via.visits(&HeaderValue::from_str(value).unwrap()), visits, "{value}");
        }
        assert!(!via.is_circle(0) && via.is_circle(1));
    }

    #[test]
    fn a_process_has_one_name_of_its_own() {
        let [one, other] = [via(None, 0), via(None, 0)];
        assert_eq!(one.pseudonym, other.pseudonym);
        assert!(one.pseudonym.starts_with("tollgate-") && one.pseudonym.len() == 17);
    }

    #[test]
    fn a_circle_may_be_allowed_some_turns() {
        let via = via(None, 2);
        assert!(!via.is_circle(2) && via.is_circle(3));
    }
}
