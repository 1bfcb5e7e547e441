//! Which line decided that a request was refused: that of the setting or the declaration which the cause names, and otherwise the one that
//! asked for the filter.
//!
//! Made at load, and read only when a refusal is put into words.

use std::sync::Arc;

use serde_json::Value;
use tollgate_filter_api::{Rule, ScopeAlternatives};

/// Which lines say what a filter does.
#[derive(Default)]
pub(super) struct Lines {
    /// `file:line` that asked for it; none for one that the default list names.
    pub asked_by: Option<String>,
    pub origins: Arc<Origins>,
    pub declares: Declares,
}

/// Where the settings of a filter stand. Operations to which the same lines say something share one.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// Pointer to the operator's settings in his file; empty when he wrote none.
    pub operator: String,
    /// What the definition laid over them, and the `file:line` of that.
    pub definition: Option<(Value, String)>,
}

/// Where the definition's word to a filter stands.
#[derive(Debug, Default)]
pub(super) enum Declares {
    /// It says nothing, or where it asks for the filter.
    #[default]
    Nothing,
    /// There: `file:line`.
    At(String),
    /// The scopes of the chain, each alternative with its own line.
    Scopes,
}

/// The operator's file: the `file:line` of what stands at a pointer, if anything does.
pub type Written<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Lines {
    /// `file:line` of what decided, by a cause; of what asked for the filter, when the cause names no line or there is none.
    pub fn of(&self, rule: Option<&Rule>, scopes: &ScopeAlternatives, written: Written<'_>) -> Option<String> {
        let decided = match rule {
            Some(Rule::Setting(setting)) => self.origins.of(&setting.text(), written),
            Some(Rule::Gateway(pointer)) => nearest(pointer, written),
            Some(Rule::Declaration(declared)) => match &self.declares {
                Declares::At(place) if !declared.text().is_empty() => Some(place.clone()),
                Declares::Scopes => scopes.source(&declared.text()).map(str::to_owned),
                _ => None,
            },
            Some(Rule::Fixed(_)) | None => None,
        };
        decided.or_else(|| self.asked_by.clone())
    }
}

/// `file:line` of the nearest value above a pointer that is written; the document itself is none.
pub fn nearest(pointer: &str, written: Written<'_>) -> Option<String> {
    prefixes(pointer).find_map(written)
}

impl Origins {
    /// What the definition writes replaces what the operator wrote, unless both are maps.
    fn of(&self, pointer: &str, written: Written<'_>) -> Option<String> {
        let replaced = |(settings, _): &(Value, String)| {
            let mut there = prefixes(pointer).filter_map(|prefix| settings.pointer(prefix));
            there.any(|value| !value.is_object())
        };
        if let Some((_, place)) = self.definition.as_ref().filter(|definition| replaced(definition)) {
            return Some(place.clone());
        }
        let here = |prefix: &str| {
            let in_definition = self.definition.as_ref().filter(|(settings, _)| settings.pointer(prefix).is_some());
            let operators = || Some(&self.operator).filter(|at| !at.is_empty()).and_then(|at| written(&format!("{at}{prefix}")));
            in_definition.map(|(_, place)| place.clone()).or_else(operators)
        };
        prefixes(pointer).find_map(here)
    }
}

/// A pointer and those above it, but the empty one.
fn prefixes(pointer: &str) -> impl Iterator<Item = &str> {
    fn above(at: &str) -> Option<&str> {
        at.rfind('/').map(|end| &at[..end])
    }
    std::iter::successors(Some(pointer), |at| above(at)).take_while(|at| !at.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origins() -> Origins {
        let definition = json!({ "issuers": [{ "audiences": ["a"] }], "dpop": { "max_age": "1s" } });
        Origins { operator: "/chain/0/jwt".into(), definition: Some((definition, "a.yaml:9".into())) }
    }

    #[test]
    fn the_line_is_that_of_whoever_wrote_the_value_and_of_what_stands_around_one_that_nobody_wrote() {
        let file = json!({ "chain": [{ "jwt": { "realm": "x", "issuers": [{ "max_lifetime": "1h" }], "dpop": { "clock_skew": "1s" } } }] });
        let written = |pointer: &str| file.pointer(pointer).map(|_| pointer.to_owned());
        for (pointer, place) in [
            ("/realm", Some("/chain/0/jwt/realm")),
            ("/issuers/0/audiences", Some("a.yaml:9")),
            // The operator's list is replaced, his limit with it.
            ("/issuers/0/max_lifetime", Some("a.yaml:9")),
            ("/dpop/max_age", Some("a.yaml:9")),
            ("/dpop/clock_skew", Some("/chain/0/jwt/dpop/clock_skew")),
            ("/dpop/origins", Some("a.yaml:9")),
            ("/scheme", None),
        ] {
            assert_eq!(origins().of(pointer, &written).as_deref(), place, "{pointer}");
        }
        assert_eq!(nearest("/chain/0/cors", &written).as_deref(), Some("/chain/0"));
        assert_eq!(nearest("/limits/header_bytes", &written), None);
    }

    #[test]
    fn settings_that_the_operator_did_not_write_have_no_line_of_his() {
        let nobody = Origins::default();
        assert_eq!(nobody.of("/realm", &|_| Some("x".to_owned())), None);
    }
}
