//! What a schema has that a value may use: its members, and the branches of `oneOf` and `anyOf`.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;

use crate::{
    rules::SchemaNumber,
    schema::{Direction, Library},
};

/// Places that are told apart in one schema.
const MOST: usize = 1_024;
/// Schemas that are looked at for that.
const LOOKED_AT: usize = 8 * MOST;
/// References in a row, as `hidden` follows them.
const REFERENCES: usize = 8;
/// Bytes of a pointer.
const LONGEST: usize = 1_024;

/// A member or a branch, where the definition has it. What two places refer to is one place.
#[derive(Debug)]
pub(super) struct Spot {
    /// To the value, with `*` for what has no name in the schema.
    pub pointer: Box<str>,
    /// The keyword and the number of the branch; none for a member.
    pub branch: Option<(&'static str, usize)>,
    /// The schema whose file it stands in.
    pub number: SchemaNumber,
    pub line: u64,
}

/// The places of a schema. It says nothing of what stands below `if`, `not`, `contains` and their like.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub spots: Vec<Spot>,
    /// By the address of the schema that stands at the place. The library does not move its schemas.
    by_address: HashMap<usize, usize>,
    /// There are more.
    pub is_cut: bool,
}

/// A schema to look at, the number of the written one it is in, and what it is about.
struct Next<'a> {
    schema: &'a Value,
    number: SchemaNumber,
    pointer: String,
}

pub(super) fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema) as usize
}

impl Places {
    pub fn of(library: &Library, number: SchemaNumber, direction: Direction) -> Self {
        let mut places = Self::default();
        let mut known = HashSet::new();
        let root = library.written(number).map(|written| Next { schema: &written.schema, number, pointer: String::new() });
        // The nearest first: they have the shortest names.
        let mut queue: VecDeque<Next<'_>> = root.into_iter().collect();
        while let Some(next) = queue.pop_front() {
            if !known.insert(address(next.schema)) {
                continue;
            }
            if known.len() > LOOKED_AT || places.spots.len() >= MOST {
                places.is_cut = true;
                break;
            }
            places.look(library, direction, &next, &mut queue);
        }
        places
    }

    /// None of them, where there is no room.
    pub fn cut() -> Self {
        Self { is_cut: true, ..Self::default() }
    }

    pub fn index(&self, schema: &Value) -> Option<usize> {
        self.by_address.get(&address(schema)).copied()
    }

    fn look<'a>(&mut self, library: &'a Library, direction: Direction, at: &Next<'a>, queue: &mut VecDeque<Next<'a>>) {
        let mut same = |schema: &'a Value, number| queue.push_back(Next { schema, number, pointer: at.pointer.clone() });
        if let Some(number) = at.schema.get("$ref").and_then(Value::as_str).and_then(|reference| library.number(reference))
            && let Some(target) = library.written(number)
        {
            same(&target.schema, number);
        }
        list(at.schema, "allOf").for_each(|schema| same(schema, at.number));
        for keyword in ["oneOf", "anyOf"] {
            for (index, branch) in list(at.schema, keyword).enumerate() {
                self.add(branch, at.pointer.clone(), Some((keyword, index)), at.number);
                queue.push_back(Next { schema: branch, number: at.number, pointer: at.pointer.clone() });
            }
        }
        let mut below = |schema: &'a Value, name: &str| {
            let pointer = format!("{}/{name}", at.pointer);
            if pointer.len() > LONGEST {
                self.is_cut = true;
                return;
            }
            if name != "*" {
                self.add(schema, pointer.clone(), None, at.number);
            }
            queue.push_back(Next { schema, number: at.number, pointer });
        };
        for (name, schema) in at.schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if !is_hidden(library, schema, direction, REFERENCES) {
                below(schema, &escaped(name));
            }
        }
        for keyword in ["items", "additionalProperties"] {
            at.schema.get(keyword).filter(|schema| schema.is_object()).into_iter().for_each(|schema| below(schema, "*"));
        }
        list(at.schema, "prefixItems").for_each(|schema| below(schema, "*"));
    }

    fn add(&mut self, schema: &Value, pointer: String, branch: Option<(&'static str, usize)>, number: SchemaNumber) {
        if self.spots.len() >= MOST {
            self.is_cut = true;
            return;
        }
        let line = schema.get("x-line").and_then(Value::as_u64).unwrap_or(0);
        self.by_address.insert(address(schema), self.spots.len());
        self.spots.push(Spot { pointer: pointer.into(), branch, number, line });
    }
}

pub(super) fn list<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a member belongs to the other way.
fn is_hidden(library: &Library, schema: &Value, direction: Direction, references: usize) -> bool {
    let keyword = match direction {
        Direction::Request => "readOnly",
        Direction::Answer => "writeOnly",
    };
    if schema.get(keyword) == Some(&Value::Bool(true)) {
        return true;
    }
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| library.follow(reference));
    references > 0 && target.is_some_and(|target| is_hidden(library, target, direction, references - 1))
}

/// As a segment of a JSON Pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
