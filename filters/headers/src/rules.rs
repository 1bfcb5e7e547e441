//! The changes to one head, parsed.

use tollgate_filter_api::{Call, HeaderName, HeaderValue, Problem, RequestHead, ResponseHead, pointer};

use crate::{Changes, fact::Caller, reserved, template::Template, text::TooLong};

/// The changes to one head, with every name and value judged.
#[derive(Debug)]
pub(crate) struct Rules {
    remove: Vec<HeaderName>,
    rename: Vec<(HeaderName, HeaderName)>,
    set: Vec<(HeaderName, Template)>,
    add: Vec<(HeaderName, Template)>,
    needs_caller: bool,
}

/// Headers that a change sets or adds; `None` where a fact is not known.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    set: Vec<Option<HeaderValue>>,
    add: Vec<Option<HeaderValue>>,
}

/// A head whose headers can be changed.
pub(crate) trait Head {
    /// Removes a header in every spelling that counts here.
    fn clear(&mut self, name: &HeaderName);
    fn values(&self, name: &HeaderName) -> Vec<HeaderValue>;
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
    /// Judges what is written; `key` is `request` or `response`.
    pub(crate) fn parse(changes: &Changes, key: &str) -> Result<Self, Problem> {
        let mut names = Names { key, seen: Vec::new() };
        let mut rules = Self { remove: Vec::new(), rename: Vec::new(), set: Vec::new(), add: Vec::new(), needs_caller: false };
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
        rules.needs_caller = rules.set.iter().chain(&rules.add).any(|(_, template)| template.needs_caller());
        Ok(rules)
    }

    /// Whether one of the values says something of the caller.
    pub(crate) fn needs_caller(&self) -> bool {
        self.needs_caller
    }

    /// The values for one request.
    pub(crate) fn render(&self, call: &Call, caller: Option<Caller<'_>>) -> Result<Rendered, TooLong> {
        let all = |rules: &[(HeaderName, Template)]| -> Result<Vec<_>, TooLong> {
            rules.iter().map(|(_, template)| template.render(call, caller)).collect()
        };
        Ok(Rendered { set: all(&self.set)?, add: all(&self.add)? })
    }

    /// Changes a head.
    pub(crate) fn apply(&self, head: &mut impl Head, rendered: Rendered) {
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
        if let Some(why) = reserved::why(&parsed) {
            return Err(self.problem(list, entry, format!("`{name}` cannot be changed: {why}")));
        }
        if self.seen.iter().any(|seen| folded(seen).eq(folded(&parsed))) {
            let problem = self.problem(list, entry, format!("`{name}` is changed twice"));
            return Err(problem.hint("keep one of the two"));
        }
        self.seen.push(parsed.clone());
        Ok(parsed)
    }

    fn template(&self, value: &str, list: &str, entry: &str) -> Result<Template, Problem> {
        Template::parse(value).map_err(|(message, hint)| self.problem(list, entry, message).hint(hint))
    }
}
