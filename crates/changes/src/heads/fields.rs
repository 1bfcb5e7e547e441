//! The changes to one head, parsed.

use tollgate_filter_api::{HeaderName, HeaderValue, Problem, RequestHead, ResponseHead, pointer, reserved};

use super::Changes;
use crate::facts::{Place, Seen, Template, TooLong, Unknown};

/// The changes to one head, with every name and value judged.
#[derive(Debug)]
pub struct Rules {
    remove: Vec<HeaderName>,
    rename: Vec<(HeaderName, HeaderName)>,
    set: Vec<(HeaderName, Value)>,
    add: Vec<(HeaderName, Value)>,
    needs_request: bool,
}

/// A value that is made at load, or how it is made.
#[derive(Clone, Debug)]
enum Value {
    Fixed(HeaderValue),
    Made(Template),
}

impl Value {
    fn render(&self, seen: &Seen<'_>) -> Result<Option<HeaderValue>, TooLong> {
        match self {
            Self::Fixed(value) => Ok(Some(value.clone())),
            Self::Made(template) => match template.render(seen) {
                Ok(text) => Ok(HeaderValue::from_maybe_shared(text.into_bytes()).ok()),
                Err(Unknown::Fact) => Ok(None),
                Err(Unknown::TooLong) => Err(TooLong),
            },
        }
    }

    fn needs_request(&self) -> bool {
        matches!(self, Self::Made(template) if template.needs_request())
    }
}

/// Headers that a change sets or adds; `None` where a fact is not known.
#[derive(Clone, Debug)]
pub struct Rendered {
    set: Vec<Option<HeaderValue>>,
    add: Vec<Option<HeaderValue>>,
}

/// A head whose headers can be changed.
pub trait Head {
    /// Removes a header in every spelling that counts here.
    fn clear(&mut self, name: &HeaderName);
    /// Every value of a header.
    fn values(&self, name: &HeaderName) -> Vec<HeaderValue>;
    /// Adds a value.
    fn append(&mut self, name: HeaderName, value: HeaderValue);
}

impl Head for RequestHead {
    /// Some upstreams read `x_user` as `x-user`; one that is left would speak for the caller beside ours.
    fn clear(&mut self, name: &HeaderName) {
        self.remove(name);
        let same = |other: &&HeaderName| other.as_str().contains('_') && folded(other).eq(folded(name));
        let others: Vec<HeaderName> = self.fields().keys().filter(same).cloned().collect();
        for other in &others {
            self.remove(other);
        }
    }

    fn values(&self, name: &HeaderName) -> Vec<HeaderValue> {
        self.get_all(name).cloned().collect()
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        RequestHead::append(self, name, value);
    }
}

impl Head for ResponseHead {
    fn clear(&mut self, name: &HeaderName) {
        self.remove(name);
    }

    fn values(&self, name: &HeaderName) -> Vec<HeaderValue> {
        self.get_all(name).cloned().collect()
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        ResponseHead::append(self, name, value);
    }
}

fn folded(name: &HeaderName) -> impl Iterator<Item = u8> {
    name.as_str().bytes().map(|byte| if byte == b'_' { b'-' } else { byte })
}

impl Rules {
    /// Judges what is written; `key` is the pointer to it, without the first slash.
    ///
    /// # Errors
    /// A name or a value that no head may have, or that is not for a filter to change.
    pub fn parse(changes: &Changes, key: &str) -> Result<Self, Problem> {
        let mut names = Names { key, seen: Vec::new() };
        let mut rules = Self { remove: Vec::new(), rename: Vec::new(), set: Vec::new(), add: Vec::new(), needs_request: false };
        for (at, name) in changes.remove.iter().enumerate() {
            rules.remove.push(names.take(name, "remove", &at.to_string())?);
        }
        for (old, new) in &changes.rename {
            rules.rename.push((names.take(old, "rename", old)?, names.take(new, "rename", old)?));
        }
        for (name, value) in &changes.set {
            rules.set.push((names.take(name, "set", name)?, names.template(value, "set", name)?));
        }
        for (name, value) in &changes.add {
            rules.add.push((names.take(name, "add", name)?, names.template(value, "add", name)?));
        }
        rules.needs_request = rules.set.iter().chain(&rules.add).any(|(_, value)| value.needs_request());
        Ok(rules)
    }

    /// Whether one of the values says something of the caller or his request.
    pub fn needs_request(&self) -> bool {
        self.needs_request
    }

    /// The values for one request.
    ///
    /// # Errors
    /// One of them is too long.
    pub fn render(&self, seen: &Seen<'_>) -> Result<Rendered, TooLong> {
        let all =
            |rules: &[(HeaderName, Value)]| -> Result<Vec<_>, TooLong> { rules.iter().map(|(_, value)| value.render(seen)).collect() };
        Ok(Rendered { set: all(&self.set)?, add: all(&self.add)? })
    }

    /// Changes a head.
    pub fn apply(&self, head: &mut impl Head, rendered: Rendered) {
        for name in &self.remove {
            head.clear(name);
        }
        for (old, new) in &self.rename {
            let values = head.values(old);
            if values.is_empty() {
                continue;
            }
            head.clear(old);
            head.clear(new);
            for value in values {
                head.append(new.clone(), value);
            }
        }
        for ((name, _), value) in self.set.iter().zip(rendered.set) {
            head.clear(name);
            if let Some(value) = value {
                head.append(name.clone(), value);
            }
        }
        for ((name, _), value) in self.add.iter().zip(rendered.add) {
            if let Some(value) = value {
                head.append(name.clone(), value);
            }
        }
    }
}

/// Judges names; each may be used once.
struct Names<'c> {
    key: &'c str,
    seen: Vec<HeaderName>,
}

impl Names<'_> {
    fn problem(&self, list: &str, entry: &str, message: String) -> Problem {
        Problem::setting(pointer::join(&format!("/{}/{list}", self.key), entry), message)
    }

    fn take(&mut self, name: &str, list: &str, entry: &str) -> Result<HeaderName, Problem> {
        let parsed: HeaderName = name.parse().map_err(|_| self.problem(list, entry, format!("`{name}` is not a name that HTTP allows")))?;
        if let Some(why) = reserved(parsed.as_str()) {
            return Err(self.problem(list, entry, format!("`{name}` cannot be changed: {why}")));
        }
        if self.seen.iter().any(|seen| folded(seen).eq(folded(&parsed))) {
            let problem = self.problem(list, entry, format!("`{name}` is changed twice"));
            return Err(problem.hint("keep one of the two"));
        }
        self.seen.push(parsed.clone());
        Ok(parsed)
    }

    fn template(&self, value: &str, list: &str, entry: &str) -> Result<Value, Problem> {
        let parsed = Template::parse(value, Place::Field);
        let template = parsed.map_err(|(message, hint)| self.problem(list, entry, message).hint(hint))?;
        let illegal = |_| self.problem(list, entry, "the value is none that a header has".to_owned());
        match template.fixed() {
            Some(fixed) => HeaderValue::from_str(fixed).map(Value::Fixed).map_err(illegal),
            None => Ok(Value::Made(template)),
        }
    }
}
