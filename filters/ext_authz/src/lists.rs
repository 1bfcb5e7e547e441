//! Lists of fields, and which ones nobody may name in them.

use tollgate_filter_api::{HeaderName, Problem, reserved};

/// A list of names and beginnings of names, in lower case.
#[derive(Debug, Default)]
pub(crate) struct List {
    names: Vec<String>,
    prefixes: Vec<String>,
}

impl List {
    /// # Errors
    /// What is no name.
    pub fn parse(key: &str, written: &[String]) -> Result<Self, Problem> {
        let mut list = Self::default();
        for (index, text) in written.iter().enumerate() {
            let (name, is_prefix) = text.strip_suffix('*').map_or((text.as_str(), false), |prefix| (prefix, true));
            if !(is_prefix && name.is_empty()) && HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(Problem::setting(format!("/headers/{key}/{index}"), format!("{text:?} is not the name of a header")));
            }
            let into = if is_prefix { &mut list.prefixes } else { &mut list.names };
            into.push(name.to_ascii_lowercase());
        }
        Ok(list)
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name) || self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// Names alone, none of which is reserved.
///
/// # Errors
/// What is no name, or not the service's to write.
pub(crate) fn names(key: &str, written: &[String]) -> Result<Vec<HeaderName>, Problem> {
    let name = |(index, text): (usize, &String)| {
        let wrong = |why: &str| Problem::setting(format!("/headers/{key}/{index}"), format!("{text:?} {why}"));
        let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| wrong("is not the name of a header"))?;
        if reserved(name.as_str()).is_some() { Err(wrong("is the gateway's to write, and nobody else's")) } else { Ok(name) }
    };
    written.iter().enumerate().map(name).collect()
}
