//! Settings that stand beside the file, by the reference product's names: given as `--set` or as variables of the environment.
//!
//! One that is given as `--set` and asked for by nobody is refused: a slip in a name must not leave something else in force. Of the environment
//! that cannot be said, as it holds what is meant for others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, PoisonError},
};

use tollgate_document::nearest;
use tollgate_filter_api::{Problem, Problems};

/// Settings by name. What was set goes before the environment.
#[derive(Default)]
pub struct Variables {
    set: BTreeMap<String, String>,
    asked: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Variables {
    /// Names alone: values may be passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.set.keys()).finish()
    }
}

impl Variables {
    /// With what was set; of two under one name the later counts.
    pub fn new(set: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { set: set.into_iter().collect(), asked: Mutex::default() }
    }

    /// A configuration is read: what others asked for counts no more.
    pub fn begin(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The value under a name. Of the environment only what is UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        self.set.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// Judges whether everything that was set has been asked for.
    ///
    /// # Errors
    /// Each that was not, with the names that could be meant.
    pub fn check(&self) -> Result<(), Problems> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = self.set.keys().filter(|name| !asked.contains(*name));
        let problem = |name: &String| {
            let hint = match nearest(name, asked.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here are {}", listed(&asked)),
            };
            Problem::error("set.unknown", format!("nothing is changed by `{name}`")).hint(hint)
        };
        let problems = Problems(unused.map(problem).collect());
        if problems.has_errors() { Err(problems) } else { Ok(()) }
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 20;
    let mut list = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        list.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_and_asked_for_by_nobody_is_refused_and_its_value_is_not_shown() {
        let set = [("pets_prod_endpoint_0", "http://a"), ("pets_prod_basic_pasword", "hunter2"), ("x", "y")];
        let variables = Variables::new(set.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables.begin();
        assert_eq!(variables.get("pets_prod_endpoint_0").as_deref(), Some("http://a"));
        assert_eq!(variables.get("pets_prod_basic_password"), None);
        let said = variables.check().unwrap_err().to_string();
        assert!(said.contains("did you mean `pets_prod_basic_password`?") && said.contains("known here are"), "{said}");
        assert!(!format!("{said}{variables:?}").contains("hunter2"));
        variables.begin();
        assert_eq!(variables.check().unwrap_err().0.len(), 3, "what was asked for by an earlier configuration does not count");
    }
}
