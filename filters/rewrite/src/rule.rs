//! A pattern and what takes the place of what it matches, made at load.

use regex::bytes::{Regex, RegexBuilder};
use tollgate_filter_api::Problem;

use crate::{
    config,
    paths::{Prefixed, checked},
    target::{Part, Target},
};

/// Most bytes that an expression takes when it is compiled.
const LARGEST: usize = 1 << 20;

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    way: Way,
    drop_query: bool,
}

#[derive(Debug)]
enum Way {
    Prefix(Prefixed),
    Path(Pattern, Target),
    Regex(Regex, Target),
}

/// What takes the place of a target.
pub(crate) struct Rewritten {
    pub(crate) path: String,
    /// The query, when it is another one.
    pub(crate) query: Option<Option<String>>,
}

impl Rule {
    /// Judges what is written; `place` is the pointer to it.
    ///
    /// # Errors
    /// When it is no rule.
    pub(crate) fn parse(rule: &config::Rule, place: &str) -> Result<Self, Problem> {
        let at_to = |why: &str, hint: &str| Problem::setting(format!("{place}/to"), format!("{:?}: {why}", rule.to)).hint(hint);
        let target = |parts: Vec<Part>| {
            Target::new(parts).map_err(|why| at_to(why, "write a path with a slash at its beginning, percent-encoded where needed"))
        };
        let way = match (&rule.prefix, &rule.path, &rule.regex) {
            (Some(prefix), None, None) => {
                let prefix = config::Prefix { from: prefix.clone(), to: rule.to.clone() };
                let from = checked(&prefix.from, &format!("{place}/prefix"));
                from.and_then(|_| Prefixed::parse(&prefix, place)).map(Way::Prefix)?
            }
            (None, Some(path), None) => {
                let pattern = Pattern::parse(path, &format!("{place}/path"))?;
                let parts =
                    pattern.parts(&rule.to).map_err(|why| at_to(&why, "use the names that stand in `path`, and `*` where it ends so"))?;
                Way::Path(pattern, target(parts)?)
            }
            (None, None, Some(regex)) => {
                let wrong = |why: String| {
                    Problem::setting(format!("{place}/regex"), why)
                        .hint("write it without look-around and references back: `^/item/([0-9]+)$`")
                };
                let built = RegexBuilder::new(regex).unicode(false).size_limit(LARGEST).dfa_size_limit(LARGEST).build();
                let regex = built.map_err(|error| wrong(format!("it is no regular expression: {error}")))?;
                let parts = groups(&regex, &rule.to)
                    .map_err(|why| at_to(&why, "write `$1` or `${name}` for a group of `regex`, `$$` for a dollar"))?;
                Way::Regex(regex, target(parts)?)
            }
            _ => {
                return Err(Problem::setting(place, "a rule has one of `prefix`, `path` and `regex`").hint("write one rule for each"));
            }
        };
        Ok(Self { way, drop_query: rule.drop_query })
    }

    /// What it makes of a target; `None` when it does not match.
    pub(crate) fn apply(&self, path: &str, query: Option<&str>) -> Option<Rewritten> {
        let (path, own) = match &self.way {
            Way::Prefix(prefix) => (prefix.apply(path)?, None),
            Way::Path(pattern, target) => {
                let found = pattern.matches(path)?;
                (target.path(&found), target.query(&found))
            }
            Way::Regex(regex, target) => {
                let groups = regex.captures(path.as_bytes())?;
                let text = |at: usize| groups.get(at).and_then(|group| path.get(group.range())).unwrap_or_default();
                let found: Vec<&str> = (0..groups.len()).map(text).collect();
                (target.path(&found), target.query(&found))
            }
        };
        let query = match (own, query.filter(|_| !self.drop_query)) {
            (None, kept) => (self.drop_query && kept.is_none()).then_some(None),
            (Some(own), None) => Some(Some(own)),
            (Some(own), Some(kept)) => Some(Some(if own.is_empty() { kept.to_owned() } else { format!("{own}&{kept}") })),
        };
        Some(Rewritten { path, query })
    }
}

/// A whole path, segment by segment.
#[derive(Debug)]
struct Pattern {
    segments: Vec<Segment>,
    /// Whether anything may follow.
    open: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Text(Box<str>),
    Named(Box<str>),
}

impl Pattern {
    fn parse(written: &str, place: &str) -> Result<Self, Problem> {
        let wrong =
            |why: &str| Problem::setting(place, format!("{written:?}: {why}")).hint("write `/users/{name}/photos`, or `/users/{name}/*`");
        let rest = written.strip_prefix('/').ok_or_else(|| wrong("it does not begin with a slash"))?;
        let (rest, open) = match rest.strip_suffix('*') {
            Some(before) if before.is_empty() || before.ends_with('/') => (before.strip_suffix('/').unwrap_or(before), true),
            _ => (rest, false),
        };
        let mut segments: Vec<Segment> = Vec::new();
        for text in rest.split('/').filter(|_| !(open && rest.is_empty())) {
            let named = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let segment = match named {
                Some(name) if !is_name(name) => return Err(wrong("a name holds letters, digits and underscores")),
                Some(name) => Segment::Named(name.into()),
                None if text.contains(['{', '}', '*']) => return Err(wrong("braces hold whole segments, and `*` is the last one")),
                None => Segment::Text(text.into()),
            };
            if matches!(segment, Segment::Named(_)) && segments.contains(&segment) {
                return Err(wrong("a name stands twice"));
            }
            segments.push(segment);
        }
        let literals: String =
            segments.iter().filter_map(|segment| if let Segment::Text(text) = segment { Some(format!("/{text}")) } else { None }).collect();
        if !literals.is_empty() {
            checked(&literals, place)?;
        }
        Ok(Self { segments, open })
    }

    /// `to`, in parts.
    fn parts(&self, to: &str) -> Result<Vec<Part>, String> {
        let names: Vec<&str> =
            self.segments.iter().filter_map(|segment| if let Segment::Named(name) = segment { Some(&**name) } else { None }).collect();
        let mut parts = Vec::new();
        let mut rest = to;
        while let Some(at) = rest.find(['{', '*']) {
            parts.push(Part::Text(rest[..at].into()));
            if let Some(behind) = rest[at..].strip_prefix('*') {
                if !self.open {
                    return Err("`path` does not end with `*`".to_owned());
                }
                parts.push(Part::Found(names.len()));
                rest = behind;
                continue;
            }
            let (name, behind) = rest[at + 1..].split_once('}').ok_or("a brace is not closed")?;
            let found = names.iter().position(|known| *known == name).ok_or_else(|| format!("`path` has no `{name}`"))?;
            parts.push(Part::Found(found));
            rest = behind;
        }
        parts.push(Part::Text(rest.into()));
        Ok(parts)
    }

    /// What stands where its names do, in order, and behind them what is left.
    fn matches<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let mut found = Vec::with_capacity(self.segments.len() + 1);
        let mut rest = path;
        for segment in &self.segments {
            rest = rest.strip_prefix('/')?;
            let end = rest.find('/').unwrap_or(rest.len());
            let (text, behind) = rest.split_at(end);
            match segment {
                Segment::Text(expected) if **expected != *text => return None,
                Segment::Text(_) => {}
                Segment::Named(_) if text.is_empty() => return None,
                Segment::Named(_) => found.push(text),
            }
            rest = behind;
        }
        if self.open {
            found.push(rest.strip_prefix('/').unwrap_or(rest));
        } else if !rest.is_empty() {
            return None;
        }
        Some(found)
    }
}

/// `to` of an expression, in parts.
fn groups(regex: &Regex, to: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = to;
    while let Some((before, behind)) = rest.split_once('$') {
        parts.push(Part::Text(before.into()));
        if let Some(behind) = behind.strip_prefix('$') {
            parts.push(Part::Text("$".into()));
            rest = behind;
            continue;
        }
        let (name, behind) = match behind.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or("a brace is not closed")?,
            None => behind.split_at(behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len())),
        };
        let at = match name.parse::<usize>() {
            Ok(at) => Some(at).filter(|at| *at < regex.captures_len()),
            Err(_) => regex.capture_names().position(|known| known == Some(name)),
        };
        parts.push(Part::Found(at.ok_or_else(|| format!("`regex` has no group `{name}`"))?));
        rest = behind;
    }
    parts.push(Part::Text(rest.into()));
    Ok(parts)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[path = "tests/rule.rs"]
mod tests;
