//! Changes to cookies: those that a request sends, and those that an answer sets (RFC 6265).

use std::collections::BTreeMap;

use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Problem, RequestHead, ResponseHead, pointer};

use crate::facts::{Place, Seen, Template, Unknown};

/// Changes to the cookies of a request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Cookie to value; replaces what is there. When a fact is not known the cookie is removed.
    pub set: BTreeMap<String, String>,
    /// Cookies that are removed.
    pub remove: Vec<String>,
}

impl Changes {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }
}

/// The same, judged.
#[derive(Debug, Default)]
pub struct Rules {
    cleared: Vec<String>,
    set: Vec<(String, Template)>,
}

impl Rules {
    /// Judges what is written; `key` is the pointer to it.
    ///
    /// # Errors
    /// A name or a value that no cookie may have, or a name that stands twice.
    pub fn parse(changes: &Changes, key: &str) -> Result<Self, Problem> {
        let mut rules = Self::default();
        for (at, name) in changes.remove.iter().enumerate() {
            rules.cleared.push(named(name, &rules.cleared, &format!("{key}/remove/{at}"))?);
        }
        for (name, value) in &changes.set {
            let place = pointer::join(&format!("{key}/set"), name);
            rules.cleared.push(named(name, &rules.cleared, &place)?);
            let template = Template::parse(value, Place::Cookie);
            let template = template.map_err(|(message, hint)| Problem::setting(place, message).hint(hint))?;
            rules.set.push((name.clone(), template));
        }
        Ok(rules)
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.cleared.is_empty()
    }

    /// The one field with all cookies of a request; `None` when none is left.
    ///
    /// # Errors
    /// A value is too long.
    pub fn render(&self, seen: &Seen<'_>) -> Result<Option<HeaderValue>, Unknown> {
        let mut out: Vec<u8> = Vec::new();
        for field in seen.head.iter().flat_map(|head| head.get_all(&header::COOKIE)) {
            for pair in field.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
                let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
                if !self.cleared.iter().any(|cleared| cleared.as_bytes() == name) {
                    push(&mut out, &[pair]);
                }
            }
        }
        for (name, template) in &self.set {
            match template.render(seen) {
                Ok(value) => push(&mut out, &[name.as_bytes(), b"=", value.as_bytes()]),
                Err(Unknown::Fact) => {}
                Err(Unknown::TooLong) => return Err(Unknown::TooLong),
            }
        }
        Ok(HeaderValue::from_bytes(&out).ok().filter(|_| !out.is_empty()))
    }

    /// Puts that field in the place of those that are there.
    pub fn apply(&self, head: &mut RequestHead, rendered: Option<HeaderValue>) {
        head.remove(&header::COOKIE);
        if let Some(value) = rendered {
            head.set(header::COOKIE, value);
        }
    }
}

/// Takes the cookies of these names out of those that an answer sets.
pub fn unset(head: &mut ResponseHead, names: &[String]) {
    let is_removed = |value: &HeaderValue| {
        let name = value.as_bytes().split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default().trim_ascii();
        names.iter().any(|removed| removed.as_bytes() == name)
    };
    if !head.get_all(&header::SET_COOKIE).any(is_removed) {
        return;
    }
    let kept: Vec<HeaderValue> = head.get_all(&header::SET_COOKIE).filter(|value| !is_removed(value)).cloned().collect();
    head.remove(&header::SET_COOKIE);
    kept.into_iter().for_each(|value| head.append(header::SET_COOKIE, value));
}

/// A name that a cookie may have, once.
///
/// # Errors
/// Why it may not.
pub fn named(name: &str, seen: &[String], place: &str) -> Result<String, Problem> {
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte));
    if !is_token {
        return Err(Problem::setting(place, format!("`{name}` is not a name that a cookie may have (RFC 6265 §4.1.1)")));
    }
    if seen.iter().any(|other| other == name) {
        return Err(Problem::setting(place, format!("`{name}` is changed twice")).hint("keep one of the two"));
    }
    Ok(name.to_owned())
}

fn push(out: &mut Vec<u8>, parts: &[&[u8]]) {
    if !out.is_empty() {
        out.extend_from_slice(b"; ");
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
#[path = "tests/cookies.rs"]
mod tests;
