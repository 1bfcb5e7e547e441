//! Which members and branches of their schemas sampled bodies have.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use jsonschema::{JsonType, json::Node};
use serde_json::Value;

use super::{
    findings::{Room, word},
    places::{Places, list},
    record::locked,
};
use crate::{
    json::Item,
    rules::SchemaNumber,
    schema::{Direction, Library, Schema},
};

/// Places of all operations of all configurations.
pub(super) const PLACES: usize = 100_000;
/// Values of one body that are looked at.
const VALUES: usize = 1_000;
/// Schemas in each other that are asked whether a value could be meant.
const DEPTH: usize = 6;

/// What sampled bodies had of one schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// `request` or `answer`.
    pub direction: &'static str,
    /// `file:line` of the schema.
    pub source: String,
    /// So many bodies were looked at.
    pub bodies: u64,
    /// Members and branches that it has.
    pub places: usize,
    /// Those that no body had.
    pub unseen: Vec<Place>,
    /// The schema has more places than are told apart.
    pub is_cut: bool,
}

/// A member or a branch of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// JSON Pointer to the member, or to the value that the branches are about; `*` is any item, and any member that the schema does not name.
    pub pointer: String,
    /// The keyword and the number of the branch, from 0; none for a member.
    pub branch: Option<(&'static str, usize)>,
    /// `file:line`.
    pub source: String,
}

/// Of the schemas of one operation.
#[derive(Debug)]
pub(super) struct Samples {
    room: Arc<Room>,
    all: Mutex<Vec<Arc<Sample>>>,
}

#[derive(Debug)]
struct Sample {
    direction: Direction,
    library: Library,
    number: SchemaNumber,
    bodies: AtomicU64,
    places: Places,
    /// One bit for each place.
    seen: Box<[AtomicU64]>,
    room: Arc<Room>,
}

impl Samples {
    pub fn new(room: Arc<Room>) -> Self {
        Self { room, all: Mutex::default() }
    }

    pub fn visit(&self, direction: Direction, schema: &Schema, body: Item<'_>) {
        let sample = self.of(direction, schema);
        sample.bodies.fetch_add(1, Relaxed);
        if let Some(written) = sample.library.written(sample.number) {
            Walk { sample: &sample, left: VALUES, next: Vec::new() }.all(&written.schema, body);
        }
    }

    fn of(&self, direction: Direction, schema: &Schema) -> Arc<Sample> {
        let (library, number) = (schema.library(), schema.number());
        let mut all = locked(&self.all);
        let is_it = |one: &&Arc<Sample>| one.direction == direction && one.number == number && one.library.is(library);
        if let Some(found) = all.iter().find(is_it) {
            return found.clone();
        }
        let mut places = Places::of(library, number, direction);
        if !self.room.take(places.spots.len()) {
            places = Places::cut();
        }
        let seen = (0..places.spots.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let (library, room) = (library.clone(), self.room.clone());
        all.push(Arc::new(Sample { direction, library, number, bodies: AtomicU64::new(0), places, seen, room }));
        all[all.len() - 1].clone()
    }

    pub fn show(&self) -> Vec<Sampled> {
        locked(&self.all).iter().map(|sample| sample.show()).collect()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.room.give_back(self.places.spots.len());
    }
}

impl Sample {
    fn mark(&self, schema: &Value) {
        let Some(index) = self.places.index(schema) else { return };
        let (word, bit) = (&self.seen[index / 64], 1 << (index % 64));
        // Mostly it is there already, and a line that is only read stays with every core.
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
    }

    fn show(&self) -> Sampled {
        let is_unseen = |index: usize| self.seen[index / 64].load(Relaxed) & (1 << (index % 64)) == 0;
        let unseen = self.places.spots.iter().enumerate().filter(|(index, _)| is_unseen(*index)).map(|(_, spot)| Place {
            pointer: spot.pointer.to_string(),
            branch: spot.branch,
            source: self.source(spot.number, spot.line),
        });
        let written = self.library.written(self.number);
        let line = written.and_then(|written| written.schema.get("x-line")).and_then(Value::as_u64).unwrap_or(0);
        Sampled {
            direction: word(self.direction),
            source: self.source(self.number, line),
            bodies: self.bodies.load(Relaxed),
            places: self.places.spots.len(),
            unseen: unseen.collect(),
            is_cut: self.places.is_cut,
        }
    }

    fn source(&self, number: SchemaNumber, line: u64) -> String {
        let file = self.library.written(number).map_or("", |written| written.file.as_str());
        format!("{file}:{line}")
    }
}

/// Goes through a body and its schema together.
struct Walk<'s, 'b> {
    sample: &'s Sample,
    left: usize,
    next: Vec<(&'s Value, Item<'b>)>,
}

impl<'s, 'b> Walk<'s, 'b> {
    fn all(mut self, schema: &'s Value, body: Item<'b>) {
        self.push(schema, body);
        while let Some((schema, item)) = self.next.pop() {
            self.look(schema, item);
        }
    }

    fn push(&mut self, schema: &'s Value, item: Item<'b>) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.next.push((schema, item));
        }
    }

    fn look(&mut self, schema: &'s Value, item: Item<'b>) {
        let sample = self.sample;
        if let Some(target) = target(&sample.library, schema) {
            self.push(target, item);
        }
        list(schema, "allOf").for_each(|inner| self.push(inner, item));
        for branch in ["oneOf", "anyOf"].into_iter().flat_map(|keyword| list(schema, keyword)) {
            if self.is_meant(branch, item, DEPTH) {
                sample.mark(branch);
                self.push(branch, item);
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, inner) in properties.into_iter().flatten() {
            if let Some(member) = item.member(name) {
                sample.mark(inner);
                self.push(inner, member);
            }
        }
        if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            let others = item.members().take(self.left).filter(|(name, _)| !properties.is_some_and(|named| named.contains_key(*name)));
            others.for_each(|(_, member)| self.push(inner, member));
        }
        let (first, rest) = (schema.get("prefixItems").and_then(Value::as_array), schema.get("items"));
        if first.is_some() || rest.is_some() {
            for (index, member) in item.items().take(self.left).enumerate() {
                first.and_then(|first| first.get(index)).or(rest).into_iter().for_each(|inner| self.push(inner, member));
            }
        }
    }

    /// Whether a value could be meant for a branch: its type, its constants, what it requires and, when it is closed, the names of its members
    /// fit. Of what fits, this is always true, as long as there are values left to look at; so a branch that was never meant was not used by any of them.
    fn is_meant(&mut self, schema: &Value, item: Item<'_>, depth: usize) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let Some(depth) = depth.checked_sub(1) else { return true };
        let Some(keywords) = schema.as_object() else { return *schema != false };
        let sample = self.sample;
        has_type(schema, item)
            && has_constant(schema, item)
            && list(schema, "required").filter_map(Value::as_str).all(|name| !is_object(item) || item.member(name).is_some())
            && keywords
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .all(|(name, inner)| item.member(name).is_none_or(|member| self.is_meant(inner, member, depth)))
            && is_closed_around(schema, item)
            && list(schema, "allOf").all(|inner| self.is_meant(inner, item, depth))
            && ["oneOf", "anyOf"]
                .into_iter()
                .all(|keyword| !keywords.contains_key(keyword) || list(schema, keyword).any(|inner| self.is_meant(inner, item, depth)))
            && target(&sample.library, schema).is_none_or(|inner| self.is_meant(inner, item, depth))
    }
}

fn target<'a>(library: &'a Library, schema: &Value) -> Option<&'a Value> {
    library.follow(schema.get("$ref")?.as_str()?)
}

fn is_object(item: Item<'_>) -> bool {
    item.json_type() == JsonType::Object
}

fn has_type(schema: &Value, item: Item<'_>) -> bool {
    let is = |name: &str| match item.json_type() {
        JsonType::Null => name == "null",
        JsonType::Boolean => name == "boolean",
        JsonType::String => name == "string",
        JsonType::Array => name == "array",
        JsonType::Object => name == "object",
        _ => name == "number" || name == "integer",
    };
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn has_constant(schema: &Value, item: Item<'_>) -> bool {
    let is = |constant: &Value| match (constant, item.text()) {
        (Value::String(constant), Some(text)) => constant == text,
        (Value::String(_), None) => false,
        (Value::Null | Value::Bool(_), _) => *item.to_value() == *constant,
        // Numbers have many forms, and what has parts may be large.
        (Value::Number(_) | Value::Array(_) | Value::Object(_), text) => text.is_none(),
    };
    schema.get("const").is_none_or(is)
        && (!schema.as_object().is_some_and(|keywords| keywords.contains_key("enum")) || list(schema, "enum").any(is))
}

/// Whether an object has no member that a closed schema does not name, as far as 64 of them tell.
fn is_closed_around(schema: &Value, item: Item<'_>) -> bool {
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) || schema.get("patternProperties").is_some() {
        return true;
    }
    let named = schema.get("properties").and_then(Value::as_object);
    item.members().take(64).all(|(name, _)| named.is_some_and(|named| named.contains_key(name)))
}
