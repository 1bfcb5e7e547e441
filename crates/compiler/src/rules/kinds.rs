//! What a value may be as a whole, as far as its schema says: a text, a list or an object.

use std::collections::{HashMap, HashSet};

use tollgate_document::Shape;

use crate::input::sources::Sources;
use crate::input::spot::Spot;

/// References and alternatives in each other that are followed. Each schema is looked at once, by however many ways it is reached.
const DEPTH: usize = 64;
/// Members of an object that are looked at.
const MEMBERS: usize = 1_000;

/// What a value may be; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const SCALAR: Self = Self(1);
    pub(super) const ARRAY: Self = Self(2);
    pub(super) const OBJECT: Self = Self(4);
    const NONE: Self = Self(0);
    const ANY: Self = Self(7);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn named(name: &str) -> Self {
        match name {
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::SCALAR,
        }
    }
}

/// A file, and a node in it.
type Place = (usize, u32);

/// A schema, or what stands for one: a parameter or items of 2.0.
#[derive(Clone)]
pub(super) struct Kind<'a> {
    pub sources: &'a Sources,
    pub spot: Spot<'a>,
    /// Siblings of a `$ref` have no meaning.
    pub old: bool,
}

impl<'a> Kind<'a> {
    /// What it allows. A schema that says nothing is about a text.
    pub(super) fn kinds(&self) -> Kinds {
        match self.allowed(DEPTH, &mut HashMap::new()) {
            Kinds::ANY => Kinds::SCALAR,
            kinds => kinds,
        }
    }

    fn allowed(&self, depth: usize, known: &mut HashMap<Place, Kinds>) -> Kinds {
        let Some(left) = depth.checked_sub(1) else { return Kinds::ANY };
        if let Some(known) = known.get(&self.place()) {
            return *known;
        }
        // One that leads to itself says nothing new there.
        known.insert(self.place(), Kinds::ANY);
        let kinds = self.allowed_anew(left, known);
        known.insert(self.place(), kinds);
        kinds
    }

    fn place(&self) -> Place {
        (self.spot.file, self.spot.node.id())
    }

    fn allowed_anew(&self, left: usize, known: &mut HashMap<Place, Kinds>) -> Kinds {
        let mut kinds = match self.spot.node.get("type") {
            Some(list) if list.shape() == Shape::Array => {
                list.items().filter_map(|name| name.as_str()).filter(|name| *name != "null").map(Kinds::named).fold(Kinds::NONE, Kinds::or)
            }
            Some(name) => name.as_str().map_or(Kinds::ANY, Kinds::named),
            None => self.implied(),
        };
        if let Some(values) = self.spot.node.get("enum") {
            kinds = kinds.and(values.items().map(|value| of(value.shape())).fold(Kinds::NONE, Kinds::or));
        }
        if let Some(value) = self.spot.node.get("const") {
            kinds = kinds.and(of(value.shape()));
        }
        if let Some(target) = self.target() {
            let target = target.allowed(left, known);
            kinds = if self.old { target } else { kinds.and(target) };
        }
        for all in self.branches("allOf") {
            kinds = kinds.and(all.allowed(left, known));
        }
        for keyword in ["oneOf", "anyOf"] {
            let any = self.branches(keyword).map(|one| one.allowed(left, known)).reduce(Kinds::or);
            kinds = any.map_or(kinds, |any| kinds.and(any));
        }
        kinds
    }

    /// Without `type`, keywords say what it is about.
    fn implied(&self) -> Kinds {
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| self.spot.node.get(keyword).is_some());
        let object = has(&["properties", "additionalProperties", "patternProperties", "propertyNames"]);
        let array = has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]);
        match (array, object) {
            (false, false) => Kinds::ANY,
            (true, true) => Kinds::ARRAY.or(Kinds::OBJECT),
            (true, false) => Kinds::ARRAY,
            (false, true) => Kinds::OBJECT,
        }
    }

    /// The schema of items, if there is one.
    pub(super) fn items(&self) -> Option<Self> {
        self.first(&|spot| spot.get("items").filter(|items| items.is(Shape::Object)), DEPTH, &mut HashSet::new())
    }

    /// The members that are named, and their schemas; a name that several schemas have comes more than once.
    pub(super) fn members(&self) -> Vec<(&'a str, Self)> {
        let mut members = Vec::new();
        self.gather(DEPTH, &mut HashSet::new(), &mut members);
        members
    }

    fn gather(&self, depth: usize, seen: &mut HashSet<Place>, members: &mut Vec<(&'a str, Self)>) {
        let Some(left) = depth.checked_sub(1).filter(|_| seen.insert(self.place())) else { return };
        if let Some(own) = self.spot.get("properties") {
            let named = own.node.entries().map(|(name, _)| name).collect::<Vec<_>>();
            let schemas = named.into_iter().filter_map(|name| Some((name, self.at(own.get(name)?))));
            members.extend(schemas.take(MEMBERS.saturating_sub(members.len())));
        }
        self.inner().iter().for_each(|inner| inner.gather(left, seen, members));
    }

    fn first(&self, get: &dyn Fn(&Spot<'a>) -> Option<Spot<'a>>, depth: usize, seen: &mut HashSet<Place>) -> Option<Self> {
        if let Some(found) = get(&self.spot) {
            return Some(self.at(found));
        }
        let left = depth.checked_sub(1).filter(|_| seen.insert(self.place()))?;
        self.inner().iter().find_map(|inner| inner.first(get, left, seen))
    }

    /// The schemas that say something of the same value.
    fn inner(&self) -> Vec<Self> {
        let all = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|keyword| self.branches(keyword));
        self.target().into_iter().chain(all).collect()
    }

    fn branches(&self, keyword: &str) -> std::vec::IntoIter<Self> {
        let list = self.spot.get(keyword);
        let branches: Vec<Self> = list.iter().flat_map(|list| list.items().collect::<Vec<_>>()).map(|spot| self.at(spot)).collect();
        branches.into_iter()
    }

    /// What a reference leads to, one step on.
    fn target(&self) -> Option<Self> {
        let reference = self.spot.node.get("$ref")?.as_str()?;
        Some(self.at(self.sources.resolve(self.spot.file, reference).ok()?))
    }

    fn at(&self, spot: Spot<'a>) -> Self {
        Self { sources: self.sources, spot, old: self.old }
    }
}

fn of(shape: Shape) -> Kinds {
    match shape {
        Shape::Array => Kinds::ARRAY,
        Shape::Object => Kinds::OBJECT,
        Shape::Null => Kinds::NONE,
        _ => Kinds::SCALAR,
    }
}
