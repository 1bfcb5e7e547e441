//! What takes the place of a path: text, and what the pattern found.

use std::fmt::Write;

use crate::paths::is_of_path;

/// A part of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// As it is written.
    Text(Box<str>),
    /// What the pattern found, by its place among all that it finds.
    Found(usize),
}

/// Path and query in the making.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    path: Vec<Part>,
    query: Option<Vec<Part>>,
}

impl Target {
    /// Of what is written, already in parts.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(parts: Vec<Part>) -> Result<Self, &'static str> {
        let (mut path, mut query): (Vec<Part>, Option<Vec<Part>>) = (Vec::new(), None);
        for part in parts {
            let (text, list) = match (part, &mut query) {
                (Part::Text(text), Some(query)) => (text, query),
                (Part::Text(text), none) => match text.split_once('?') {
                    Some((before, behind)) => {
                        path.push(Part::Text(before.into()));
                        (behind.into(), none.get_or_insert_default())
                    }
                    None => (text, &mut path),
                },
                (found, Some(query)) => {
                    query.push(found);
                    continue;
                }
                (found, None) => {
                    path.push(found);
                    continue;
                }
            };
            list.push(Part::Text(text));
        }
        path.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        let legal = |parts: &[Part], also: &[u8]| {
            parts.iter().all(|part| match part {
                Part::Text(text) => text.bytes().all(|byte| is_of_path(byte) || also.contains(&byte)),
                Part::Found(_) => true,
            })
        };
        match path.first() {
            Some(Part::Text(text)) if text.starts_with('/') => {}
            _ => return Err("it does not begin with a slash"),
        }
        if !legal(&path, b"") || !query.as_ref().is_none_or(|query| legal(query, b"?")) {
            return Err("it holds a character that no path and no query holds");
        }
        Ok(Self { path, query })
    }

    /// The path for one request.
    pub(crate) fn path(&self, found: &[&str]) -> String {
        let mut path = String::new();
        for part in &self.path {
            path.push_str(match part {
                Part::Text(text) => text,
                Part::Found(at) => found.get(*at).copied().unwrap_or_default(),
            });
        }
        path
    }

    /// The query for one request, if it has one of its own. What was found stays one value in it.
    pub(crate) fn query(&self, found: &[&str]) -> Option<String> {
        let mut query = String::new();
        for part in self.query.as_ref()? {
            match part {
                Part::Text(text) => query.push_str(text),
                Part::Found(at) => value(found.get(*at).copied().unwrap_or_default(), &mut query),
            }
        }
        Some(query)
    }
}

/// A piece of a path as a value of a query: its escapes stay, what would end the value or mean a space there becomes one.
fn value(found: &str, query: &mut String) {
    for byte in found.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte) {
            query.push(char::from(byte));
        } else {
            // A string takes whatever is written.
            let _ = write!(query, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    #[test]
    fn what_was_found_stays_one_value_of_a_query() {
        let target = Target::new(vec![text("/a/"), Part::Found(0), text("?b="), Part::Found(0), text("&c")]).expect("it is legal");
        assert_eq!(target.path(&["x&y=+%20"]), "/a/x&y=+%20");
        assert_eq!(target.query(&["x&y=+%20"]).as_deref(), Some("b=x%26y%3D%2B%20&c"));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for wrong in
            [vec![], vec![text("a")], vec![Part::Found(0)], vec![text("?a")], vec![text("/a b")], vec![text("/a#b")], vec![text("/a?{b}")]]
        {
            assert!(Target::new(wrong).is_err());
        }
    }
}
