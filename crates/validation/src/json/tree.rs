//! A JSON value in one piece of memory, which borrows what it can from the text it was read from.
//!
//! [`Builder`] makes it, from JSON or from what was sent in another notation. It enforces [`Limits`] and refuses an object that has a
//! name twice: whoever reads the text after us may take the other one.

use std::{borrow::Cow, ops::Range};

use serde_json::{Number, Value};

use super::{Limits, Malformed, Over, Sink};

/// A value whose parts are in its tree.
#[derive(Clone, Debug)]
pub(super) enum Slot<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Range<u32>),
    Object(Range<u32>),
}

/// A member of an object, or an item of an array; that has no name.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub name: Cow<'a, str>,
    pub slot: Slot<'a>,
}

/// A JSON value. It dies without recursion, however deep it is.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    pub(super) root: Slot<'a>,
    /// The parts of each array and object in a row; those of an object with many members sorted by name.
    pub(super) entries: Vec<Entry<'a>>,
}

/// Members from which on an object is sorted, so that a name is found fast.
pub(super) const SORTED: usize = 12;

/// Makes a [`Tree`], from the outside to the inside and from the first to the last.
#[derive(Debug)]
pub struct Builder<'a, 'l> {
    limits: &'l Limits,
    open: Vec<Open<'a>>,
    /// What the open containers have so far.
    pending: Vec<Entry<'a>>,
    done: Vec<Entry<'a>>,
    /// The name of the value that comes next.
    name: Option<Cow<'a, str>>,
    root: Option<Slot<'a>>,
    values: usize,
}

/// A container that was begun.
#[derive(Debug)]
struct Open<'a> {
    is_object: bool,
    /// Its own name.
    name: Cow<'a, str>,
    /// Its first part in `pending`.
    first: usize,
}

impl<'a, 'l> Builder<'a, 'l> {
    /// Nothing yet.
    pub fn new(limits: &'l Limits) -> Self {
        let (open, pending, done) = (Vec::new(), Vec::with_capacity(16), Vec::with_capacity(32));
        Self { limits, open, pending, done, name: None, root: None, values: 0 }
    }

    /// `null`.
    ///
    /// # Errors
    /// A limit.
    pub fn null(&mut self) -> Result<(), Malformed> {
        self.put(Slot::Null)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// A limit.
    pub fn bool(&mut self, value: bool) -> Result<(), Malformed> {
        self.put(Slot::Bool(value))
    }

    /// A number whose text has the grammar of JSON.
    ///
    /// # Errors
    /// A limit, or a number that is larger than 64 bits of floating point can hold.
    pub fn number(&mut self, text: &str) -> Result<(), Malformed> {
        if text.len() > self.limits.number {
            return Err(Malformed::Over(Over::Number));
        }
        let number = number(text).ok_or(Malformed::Number)?;
        self.put(Slot::Number(number))
    }

    /// A string.
    ///
    /// # Errors
    /// A limit.
    pub fn string(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        self.is_short(&text)?;
        self.put(Slot::String(text))
    }

    /// The name of the value that comes next, in an object.
    ///
    /// # Errors
    /// A limit.
    pub fn name(&mut self, name: Cow<'a, str>) -> Result<(), Malformed> {
        self.is_short(&name)?;
        self.name = Some(name);
        Ok(())
    }

    /// Begins an array, or an object.
    ///
    /// # Errors
    /// A limit.
    pub fn begin(&mut self, is_object: bool) -> Result<(), Malformed> {
        self.count()?;
        if self.open.len() >= self.limits.depth {
            return Err(Malformed::Over(Over::Depth));
        }
        let name = self.name.take().unwrap_or_default();
        self.open.push(Open { is_object, name, first: self.pending.len() });
        Ok(())
    }

    /// Ends what was begun last.
    ///
    /// # Errors
    /// A name that stands twice in an object.
    pub fn end(&mut self) -> Result<(), Malformed> {
        let Some(Open { is_object, name, first }) = self.open.pop() else { return Ok(()) };
        let parts = &mut self.pending[first..];
        if is_object && has_twice(parts) {
            return Err(Malformed::Twice);
        }
        let begin = self.done.len() as u32;
        self.done.extend(self.pending.drain(first..));
        let range = begin..self.done.len() as u32;
        let slot = if is_object { Slot::Object(range) } else { Slot::Array(range) };
        self.place(name, slot);
        Ok(())
    }

    /// A value that was made apart, with the limits that [`Limits::within`] leaves.
    ///
    /// # Errors
    /// A limit.
    pub fn graft(&mut self, tree: Tree<'a>) -> Result<(), Malformed> {
        let first = self.done.len() as u32;
        let moved = |slot| match slot {
            Slot::Array(range) => Slot::Array(range.start + first..range.end + first),
            Slot::Object(range) => Slot::Object(range.start + first..range.end + first),
            other => other,
        };
        self.values += tree.entries.len();
        self.done.extend(tree.entries.into_iter().map(|entry| Entry { name: entry.name, slot: moved(entry.slot) }));
        self.put(moved(tree.root))
    }

    /// The value; `None` when there is none, or when something is still open.
    pub fn finish(self) -> Option<Tree<'a>> {
        let root = self.root.filter(|_| self.open.is_empty())?;
        Some(Tree { root, entries: self.done })
    }

    fn put(&mut self, slot: Slot<'a>) -> Result<(), Malformed> {
        self.count()?;
        let name = self.name.take().unwrap_or_default();
        self.place(name, slot);
        Ok(())
    }

    fn place(&mut self, name: Cow<'a, str>, slot: Slot<'a>) {
        if self.open.is_empty() {
            self.root = Some(slot);
        } else {
            self.pending.push(Entry { name, slot });
        }
    }

    fn count(&mut self) -> Result<(), Malformed> {
        self.values += 1;
        if self.values > self.limits.values { Err(Malformed::Over(Over::Values)) } else { Ok(()) }
    }

    fn is_short(&self, text: &str) -> Result<(), Malformed> {
        if text.len() > self.limits.string { Err(Malformed::Over(Over::String)) } else { Ok(()) }
    }
}

impl<'a> Sink<'a> for Builder<'a, '_> {
    fn null(&mut self) -> Result<(), Malformed> {
        Self::null(self)
    }

    fn bool(&mut self, value: bool) -> Result<(), Malformed> {
        Self::bool(self, value)
    }

    fn number(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        Self::number(self, &text)
    }

    fn string(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        Self::string(self, text)
    }

    fn name(&mut self, name: Cow<'a, str>) -> Result<(), Malformed> {
        Self::name(self, name)
    }

    fn begin(&mut self, is_object: bool) -> Result<(), Malformed> {
        Self::begin(self, is_object)
    }

    fn end(&mut self) -> Result<(), Malformed> {
        Self::end(self)
    }

    fn in_object(&self) -> Option<bool> {
        self.open.last().map(|open| open.is_object)
    }
}

/// Sorts many members, and says whether two have the same name.
fn has_twice(members: &mut [Entry<'_>]) -> bool {
    if members.len() >= SORTED {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        return members.windows(2).any(|pair| pair[0].name == pair[1].name);
    }
    members.iter().enumerate().any(|(at, member)| members[..at].iter().any(|other| other.name == member.name))
}

/// The number that a text of JSON's grammar stands for: exact when it is an integer of 64 bits.
fn number(text: &str) -> Option<Number> {
    let is_integer = !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    if is_integer && let Ok(number) = text.parse::<u64>() {
        return Some(number.into());
    }
    if is_integer
        && text != "-0"
        && let Ok(number) = text.parse::<i64>()
    {
        return Some(number.into());
    }
    Number::from_f64(text.parse().ok()?)
}

impl<'a> Tree<'a> {
    /// A string alone. Allocates nothing.
    ///
    /// # Errors
    /// A limit.
    pub fn of_text(text: Cow<'a, str>, limits: &Limits) -> Result<Self, Malformed> {
        if text.len() > limits.string { Err(Malformed::Over(Over::String)) } else { Ok(Self::single(Slot::String(text))) }
    }

    /// A number alone, whose text has the grammar of JSON. Allocates nothing.
    ///
    /// # Errors
    /// A limit, or a number that is larger than 64 bits of floating point can hold.
    pub fn of_number(text: &str, limits: &Limits) -> Result<Self, Malformed> {
        if text.len() > limits.number {
            return Err(Malformed::Over(Over::Number));
        }
        number(text).map(|number| Self::single(Slot::Number(number))).ok_or(Malformed::Number)
    }

    /// `true` or `false` alone.
    pub fn of_bool(value: bool) -> Self {
        Self::single(Slot::Bool(value))
    }

    fn single(root: Slot<'a>) -> Self {
        Self { root, entries: Vec::new() }
    }

    /// The same value, from another representation.
    ///
    /// # Errors
    /// A limit.
    pub fn of(value: &'a Value, limits: &Limits) -> Result<Self, Malformed> {
        let mut builder = Builder::new(limits);
        copy(value, &mut builder)?;
        builder.finish().ok_or(Malformed::Syntax)
    }

    /// How many parts all of its arrays and objects have.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all its names and strings.
    pub fn text(&self) -> usize {
        let text = |slot: &Slot<'_>| if let Slot::String(text) = slot { text.len() } else { 0 };
        text(&self.root) + self.entries.iter().map(|entry| entry.name.len() + text(&entry.slot)).sum::<usize>()
    }

    /// Whether it has no parts.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn value(&self, slot: &Slot<'a>) -> Value {
        match slot {
            Slot::Null => Value::Null,
            Slot::Bool(value) => Value::Bool(*value),
            Slot::Number(number) => Value::Number(number.clone()),
            Slot::String(text) => Value::String(text.clone().into_owned()),
            Slot::Array(range) => Value::Array(self.parts(range).iter().map(|part| self.value(&part.slot)).collect()),
            Slot::Object(range) => {
                let members = self.parts(range).iter().map(|part| (part.name.clone().into_owned(), self.value(&part.slot)));
                Value::Object(members.collect())
            }
        }
    }

    pub(super) fn parts(&self, range: &Range<u32>) -> &[Entry<'a>] {
        &self.entries[range.start as usize..range.end as usize]
    }
}

/// As deep as the limits allow, so it may recurse.
fn copy<'a>(value: &'a Value, builder: &mut Builder<'a, '_>) -> Result<(), Malformed> {
    match value {
        Value::Null => builder.null(),
        Value::Bool(value) => builder.bool(*value),
        Value::Number(number) => builder.number(&number.to_string()),
        Value::String(text) => builder.string(Cow::Borrowed(text)),
        Value::Array(items) => {
            builder.begin(false)?;
            items.iter().try_for_each(|item| copy(item, builder))?;
            builder.end()
        }
        Value::Object(members) => {
            builder.begin(true)?;
            for (name, value) in members {
                builder.name(Cow::Borrowed(name))?;
                copy(value, builder)?;
            }
            builder.end()
        }
    }
}
