//! A JSON value in one piece of memory, in the order in which it was written; numbers are the text they were.

use std::borrow::Cow;

use tollgate_validation::json::{Limits, Malformed, Over, Sink, read};

/// A value, and how many of those behind it are its parts.
#[derive(Debug)]
struct Part<'a> {
    name: Cow<'a, str>,
    kind: Kind<'a>,
    /// The first that is no part of it.
    end: usize,
}

#[derive(Debug)]
enum Kind<'a> {
    Null,
    Text(Cow<'a, str>),
    Array,
    Object,
}

/// A whole value.
#[derive(Debug)]
pub(crate) struct Flat<'a>(Vec<Part<'a>>);

/// A value in it.
#[derive(Clone, Copy)]
pub(crate) struct Value<'f, 'a> {
    flat: &'f Flat<'a>,
    at: usize,
}

/// What a value is.
pub(crate) enum What<'f> {
    Null,
    /// A string, a number or a boolean, as it is written in XML.
    Text(&'f str),
    Array,
    Object,
}

impl<'a> Flat<'a> {
    /// # Errors
    /// Grammar, a limit, or a name that stands twice in an object.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Malformed> {
        let mut builder = Builder { limits, parts: Vec::with_capacity(32), open: Vec::new(), name: Cow::Borrowed("") };
        read(bytes, &mut builder)?;
        Ok(Self(builder.parts))
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_, 'a> {
        Value { flat: self, at: 0 }
    }
}

impl<'f, 'a> Value<'f, 'a> {
    fn part(self) -> &'f Part<'a> {
        &self.flat.0[self.at]
    }

    /// Of a member of an object.
    pub fn name(self) -> &'f str {
        &self.part().name
    }

    pub fn what(self) -> What<'f> {
        match &self.part().kind {
            Kind::Null => What::Null,
            Kind::Text(text) => What::Text(text),
            Kind::Array => What::Array,
            Kind::Object => What::Object,
        }
    }

    pub fn is_array(self) -> bool {
        matches!(self.part().kind, Kind::Array)
    }

    /// Its members or items.
    pub fn parts(self) -> impl Iterator<Item = Self> {
        let end = self.part().end;
        let first = Some(self.at + 1).filter(|at| *at < end);
        let next = move |one: &Self| Some(one.part().end).filter(|at| *at < end).map(|at| Self { at, ..*one });
        std::iter::successors(first.map(|at| Self { at, ..self }), next)
    }
}

struct Builder<'a, 'l> {
    limits: &'l Limits,
    parts: Vec<Part<'a>>,
    /// Arrays and objects that are not ended, and whether it is an object.
    open: Vec<(usize, bool)>,
    name: Cow<'a, str>,
}

impl<'a> Builder<'a, '_> {
    fn put(&mut self, kind: Kind<'a>) -> Result<(), Malformed> {
        if self.parts.len() >= self.limits.values {
            return Err(Malformed::Over(Over::Values));
        }
        let name = std::mem::take(&mut self.name);
        let end = self.parts.len() + 1;
        self.parts.push(Part { name, kind, end });
        Ok(())
    }

    fn text(&mut self, text: Cow<'a, str>, most: usize, over: Over) -> Result<(), Malformed> {
        if text.len() > most { Err(Malformed::Over(over)) } else { self.put(Kind::Text(text)) }
    }
}

impl<'a> Sink<'a> for Builder<'a, '_> {
    fn null(&mut self) -> Result<(), Malformed> {
        self.put(Kind::Null)
    }

    fn bool(&mut self, value: bool) -> Result<(), Malformed> {
        self.put(Kind::Text(Cow::Borrowed(if value { "true" } else { "false" })))
    }

    fn number(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        self.text(text, self.limits.number, Over::Number)
    }

    fn string(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        self.text(text, self.limits.string, Over::String)
    }

    fn name(&mut self, name: Cow<'a, str>) -> Result<(), Malformed> {
        if name.len() > self.limits.string {
            return Err(Malformed::Over(Over::String));
        }
        self.name = name;
        Ok(())
    }

    fn begin(&mut self, is_object: bool) -> Result<(), Malformed> {
        if self.open.len() >= self.limits.depth {
            return Err(Malformed::Over(Over::Depth));
        }
        self.open.push((self.parts.len(), is_object));
        self.put(if is_object { Kind::Object } else { Kind::Array })
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let Some((at, is_object)) = self.open.pop() else { return Ok(()) };
        self.parts[at].end = self.parts.len();
        if is_object && has_twice(&self.parts, at) { Err(Malformed::Twice) } else { Ok(()) }
    }

    fn in_object(&self) -> Option<bool> {
        self.open.last().map(|(_, is_object)| *is_object)
    }
}

fn has_twice(parts: &[Part<'_>], object: usize) -> bool {
    let mut names = Vec::new();
    let mut at = object + 1;
    while at < parts[object].end {
        names.push(&*parts[at].name);
        at = parts[at].end;
    }
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}
