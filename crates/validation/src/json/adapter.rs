//! The [`Tree`] as the crate `jsonschema` reads it.

use std::borrow::Cow;

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object},
};
use serde_json::{Number, Value};

use super::tree::{Entry, SORTED, Slot, Tree};

/// The representation.
#[derive(Debug)]
pub enum OurJson {}

/// A value in a tree.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    tree: &'a Tree<'a>,
    slot: &'a Slot<'a>,
}

/// What has no parts refers to no tree.
static NO_TREE: Tree<'static> = Tree { root: Slot::Null, entries: Vec::new() };

impl<'a> Tree<'a> {
    /// The whole value.
    pub fn root(&'a self) -> Item<'a> {
        Item { tree: self, slot: &self.root }
    }
}

impl<'a> Item<'a> {
    fn at(self, slot: &'a Slot<'a>) -> Self {
        Self { tree: self.tree, slot }
    }

    /// The text, when it is a string.
    pub fn text(self) -> Option<&'a str> {
        match self.slot {
            Slot::String(text) => Some(text),
            _ => None,
        }
    }

    /// Tells an array or an object from every other value of all trees that are there.
    pub(crate) fn address(self) -> Option<usize> {
        matches!(self.slot, Slot::Array(_) | Slot::Object(_)).then(|| std::ptr::from_ref(self.slot).addr())
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        matches!(self.slot, Slot::Array(_))
    }

    /// The members, when it is an object. Not in the order in which they were sent, when there are many.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        let parts: &'a [Entry<'a>] = match self.slot {
            Slot::Object(range) => self.tree.parts(range),
            _ => &[],
        };
        parts.iter().map(move |entry| (&*entry.name, self.at(&entry.slot)))
    }

    /// The member of that name, when it is an object that has one.
    pub fn member(self, name: &str) -> Option<Self> {
        let Slot::Object(range) = self.slot else { return None };
        Parts { item: self, entries: self.tree.parts(range) }.named(name)
    }

    /// What stands at a JSON Pointer below it.
    pub fn at_pointer(self, pointer: &str) -> Option<Self> {
        pointer.split('/').skip(1).try_fold(self, |item, segment| match item.slot {
            Slot::Array(range) => item.tree.parts(range).get(segment.parse::<usize>().ok()?).map(|entry| item.at(&entry.slot)),
            _ => item.member(&segment.replace("~1", "/").replace("~0", "~")),
        })
    }

    /// The items, when it is an array.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let parts: &'a [Entry<'a>] = match self.slot {
            Slot::Array(range) => self.tree.parts(range),
            _ => &[],
        };
        parts.iter().map(move |entry| self.at(&entry.slot))
    }
}

impl Json for OurJson {
    type Node<'a> = Item<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Item<'_>) -> T) -> T {
        let slot = Slot::String(Cow::Borrowed(string));
        f(Item { tree: &NO_TREE, slot: &slot })
    }
}

impl<'a> Node<'a, OurJson> for Item<'a> {
    type Object = Parts<'a>;
    type Array = Parts<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Parts<'a>> {
        match self.slot {
            Slot::Object(range) => Some(Parts { item: *self, entries: self.tree.parts(range) }),
            _ => None,
        }
    }

    fn as_array(&self) -> Option<Parts<'a>> {
        match self.slot {
            Slot::Array(range) => Some(Parts { item: *self, entries: self.tree.parts(range) }),
            _ => None,
        }
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.text().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.slot {
            Slot::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self.slot {
            Slot::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self.slot, Slot::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.slot {
            Slot::Null => JsonType::Null,
            Slot::Bool(_) => JsonType::Boolean,
            Slot::Number(_) => JsonType::Number,
            Slot::String(_) => JsonType::String,
            Slot::Array(_) => JsonType::Array,
            Slot::Object(_) => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.text()?;
        // A character takes one to four bytes.
        let (most, fewest) = (text.len() as u64, (text.len() as u64).div_ceil(4));
        if min <= fewest && most <= max {
            return Some(true);
        }
        if most < min || fewest > max {
            return Some(false);
        }
        Some((min..=max).contains(&(text.chars().count() as u64)))
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(self.tree.value(self.slot))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.slot) as usize))
    }
}

/// The parts of an array or an object.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    item: Item<'a>,
    entries: &'a [Entry<'a>],
}

impl<'a> Parts<'a> {
    fn named(&self, name: &str) -> Option<Item<'a>> {
        let entries = self.entries;
        let found = if entries.len() >= SORTED {
            entries.binary_search_by(|entry| (*entry.name).cmp(name)).ok().map(|at| &entries[at])
        } else {
            entries.iter().find(|entry| entry.name == name)
        };
        found.map(|entry| self.item.at(&entry.slot))
    }
}

/// Goes through parts with their names.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    item: Item<'a>,
    entries: std::slice::Iter<'a, Entry<'a>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        Some((&*entry.name, self.item.at(&entry.slot)))
    }
}

/// Goes through parts without their names.
#[derive(Clone, Debug)]
pub struct Elements<'a>(Members<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(_, item)| item)
    }
}

impl<'a> Object<'a, OurJson> for Parts<'a> {
    type Node = Item<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn get(&self, key: &String) -> Option<Item<'a>> {
        self.named(key)
    }

    fn members(&self) -> Members<'a> {
        Members { item: self.item, entries: self.entries.iter() }
    }
}

impl<'a> Array<'a, OurJson> for Parts<'a> {
    type Node = Item<'a>;
    type ElementsIter = Elements<'a>;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn elements(&self) -> Elements<'a> {
        Elements(Members { item: self.item, entries: self.entries.iter() })
    }
}
