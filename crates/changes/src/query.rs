//! Changes to a query. What is not changed goes on byte for byte, in its order.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Problem, pointer};

use crate::facts::{Place, Seen, Template, Unknown};

/// Changes to the query. A name may stand in one of them only, so their order does not matter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Parameter to value; replaces what is there. When a fact is not known the parameter is removed.
    pub set: BTreeMap<String, String>,
    /// Parameter to value; keeps what is there. When a fact is not known nothing is added.
    pub add: BTreeMap<String, String>,
    /// Parameters that are removed.
    pub remove: Vec<String>,
    /// Old name to new name.
    pub rename: BTreeMap<String, String>,
}

impl Changes {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty() && self.rename.is_empty()
    }
}

/// The same, judged. Names are as they are decoded.
#[derive(Debug, Default)]
pub struct Rules {
    /// Those whose values go: removed, or set anew.
    cleared: Vec<Vec<u8>>,
    /// Old name, and the new one as it is written.
    renamed: Vec<(Vec<u8>, String)>,
    /// Names as they are written.
    appended: Vec<(String, Template)>,
}

impl Rules {
    /// Judges what is written; `key` is the pointer to it.
    ///
    /// # Errors
    /// A name that stands twice, or a value that no query may have.
    pub fn parse(changes: &Changes, key: &str) -> Result<Self, Problem> {
        let mut seen: Vec<&str> = Vec::new();
        let mut rules = Self::default();
        let mut take = |name, list: &str| {
            let place = pointer::join(&format!("{key}/{list}"), name);
            if seen.contains(&name) {
                return Err(Problem::setting(place, format!("`{name}` is changed twice")).hint("keep one of the two"));
            }
            seen.push(name);
            Ok(name.as_bytes().to_vec())
        };
        for name in &changes.remove {
            rules.cleared.push(take(name, "remove")?);
        }
        for (old, new) in &changes.rename {
            let (old, new) = (take(old, "rename")?, take(new, "rename")?);
            rules.renamed.push((old, written(&new)));
        }
        for (list, values) in [("set", &changes.set), ("add", &changes.add)] {
            for (name, value) in values {
                let taken = take(name, list)?;
                let template = Template::parse(value, Place::Query)
                    .map_err(|(message, hint)| Problem::setting(pointer::join(&format!("{key}/{list}"), name), message).hint(hint))?;
                rules.appended.push((written(&taken), template));
                if list == "set" {
                    rules.cleared.push(taken);
                }
            }
        }
        Ok(rules)
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.cleared.is_empty() && self.renamed.is_empty() && self.appended.is_empty()
    }

    /// The query of one request; `None` when nothing is left of it.
    ///
    /// # Errors
    /// A value is too long.
    pub fn apply(&self, query: Option<&str>, seen: &Seen<'_>) -> Result<Option<String>, Unknown> {
        let mut out = String::with_capacity(query.map_or(0, str::len) + 32);
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (key, value) = pair.split_once('=').map_or((pair, None), |(key, value)| (key, Some(value)));
            let name = decoded(key);
            if self.cleared.iter().any(|cleared| **cleared == *name) {
                continue;
            }
            let renamed = self.renamed.iter().find(|(old, _)| **old == *name).map(|(_, new)| new.as_str());
            push(&mut out, renamed.unwrap_or(key), value);
        }
        for (name, template) in &self.appended {
            match template.render(seen) {
                Ok(value) => push(&mut out, name, Some(&value)),
                Err(Unknown::Fact) => {}
                Err(Unknown::TooLong) => return Err(Unknown::TooLong),
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }
}

/// A name that is broken stands for itself.
fn decoded(key: &str) -> Cow<'_, [u8]> {
    crate::facts::form(key).unwrap_or(Cow::Borrowed(key.as_bytes()))
}

fn push(out: &mut String, key: &str, value: Option<&str>) {
    if !out.is_empty() {
        out.push('&');
    }
    out.push_str(key);
    if let Some(value) = value {
        out.push('=');
        out.push_str(value);
    }
}

fn written(name: &[u8]) -> String {
    Place::Query.written(name)
}

#[cfg(test)]
#[path = "tests/query.rs"]
mod tests;
