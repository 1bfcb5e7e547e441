//! How a text is to be read where JSON has types and the message has none: parameters, forms, XML.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::library::Library;
use crate::rules::SchemaNumber;

/// References and alternatives in each other that are followed. Each schema is looked at once, by however many ways it is reached.
const DEPTH: usize = 64;

/// Types that a schema allows; a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    /// `null`.
    pub const NULL: Self = Self(1);
    /// `boolean`.
    pub const BOOLEAN: Self = Self(2);
    /// `integer`.
    pub const INTEGER: Self = Self(4);
    /// `number`.
    pub const NUMBER: Self = Self(8);
    /// `string`.
    pub const STRING: Self = Self(16);
    /// `array`.
    pub const ARRAY: Self = Self(32);
    /// `object`.
    pub const OBJECT: Self = Self(64);
    /// Any.
    pub const ANY: Self = Self(127);

    /// Whether it has one of those of the other.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self(Self::NUMBER.0 | Self::INTEGER.0),
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self(0),
        }
    }

    fn of(value: &Value) -> Self {
        Self::named(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        })
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A place in the schemas of a project, seen as what a text there may be.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    library: &'a Library,
    schema: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    /// Of a whole schema; of anything when there is none.
    pub fn of(library: &'a Library, number: Option<SchemaNumber>) -> Self {
        let schema = number.and_then(|number| library.written(number)).map(|written| &written.schema);
        Self { library, schema }
    }

    /// The types it allows.
    pub fn types(self) -> Types {
        self.schema.map_or(Types::ANY, |schema| self.types_of(schema, DEPTH, &mut HashMap::new()))
    }

    fn types_of(self, schema: &Value, depth: usize, known: &mut HashMap<usize, Types>) -> Types {
        let Some(left) = depth.checked_sub(1) else { return Types::ANY };
        if let Some(known) = known.get(&address(schema)) {
            return *known;
        }
        // One that leads to itself says nothing new there.
        known.insert(address(schema), Types::ANY);
        let types = self.types_anew(schema, left, known);
        known.insert(address(schema), types);
        types
    }

    fn types_anew(self, schema: &Value, left: usize, known: &mut HashMap<usize, Types>) -> Types {
        let mut types = match schema.get("type") {
            Some(Value::String(name)) => Types::named(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(Types::named).fold(Types(0), Types::or),
            _ => Types::ANY,
        };
        if let Some(target) = self.target(schema) {
            types = types.and(self.types_of(target, left, known));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            types = types.and(values.iter().map(Types::of).fold(Types(0), Types::or));
        }
        if let Some(value) = schema.get("const") {
            types = types.and(Types::of(value));
        }
        for all in branches(schema, "allOf") {
            types = types.and(self.types_of(all, left, known));
        }
        for keyword in ["oneOf", "anyOf"] {
            let any = branches(schema, keyword).map(|one| self.types_of(one, left, known)).reduce(Types::or);
            types = any.map_or(types, |any| types.and(any));
        }
        types
    }

    /// The items of an array.
    pub fn items(self) -> Self {
        self.find(&|schema| schema.get("items"))
    }

    /// The item at that place of an array.
    pub fn item(self, index: usize) -> Self {
        let at = self.find(&|schema| schema.get("prefixItems")?.get(index));
        if at.schema.is_some() { at } else { self.items() }
    }

    /// The member of that name; what additional members must be, when it has none.
    pub fn member(self, name: &str) -> Self {
        let own = self.declared(name);
        if own.schema.is_some() { own } else { self.find(&|schema| schema.get("additionalProperties").filter(|schema| schema.is_object())) }
    }

    /// The member of that name, when the schema names it.
    pub fn declared(self, name: &str) -> Self {
        self.find(&|schema| schema.get("properties")?.get(name))
    }

    /// Tells two places apart, as long as the library is there.
    pub(crate) fn identity(self) -> usize {
        self.schema.map_or(0, address)
    }

    /// Whether something is said here.
    pub fn is_known(self) -> bool {
        self.schema.is_some()
    }

    /// A keyword's value, of the first schema in reach that has it.
    pub fn keyword(self, name: &str) -> Option<&'a Value> {
        self.find(&|schema| schema.get(name)).schema
    }

    /// The names of the members that are named, in order; once for each schema that names them.
    pub fn names(self) -> Vec<&'a str> {
        let mut names = Vec::new();
        if let Some(schema) = self.schema {
            self.gather(schema, DEPTH, &mut HashSet::new(), &mut names);
        }
        names
    }

    fn gather(self, schema: &'a Value, depth: usize, seen: &mut HashSet<usize>, names: &mut Vec<&'a str>) {
        let Some(left) = depth.checked_sub(1).filter(|_| seen.insert(address(schema))) else { return };
        let own = schema.get("properties").and_then(Value::as_object);
        names.extend(own.into_iter().flatten().map(|(name, _)| name.as_str()));
        for inner in self.inner(schema) {
            self.gather(inner, left, seen, names);
        }
    }

    fn find(self, get: Get<'_, 'a>) -> Self {
        Self { schema: self.schema.and_then(|schema| self.search(schema, get, DEPTH, &mut HashSet::new())), ..self }
    }

    fn search(self, schema: &'a Value, get: Get<'_, 'a>, depth: usize, seen: &mut HashSet<usize>) -> Option<&'a Value> {
        let found = get(schema);
        if found.is_some() {
            return found;
        }
        let left = depth.checked_sub(1).filter(|_| seen.insert(address(schema)))?;
        self.inner(schema).find_map(|inner| self.search(inner, get, left, seen))
    }

    /// The schemas that say something of the same value.
    fn inner(self, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
        let all = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|keyword| branches(schema, keyword));
        self.target(schema).into_iter().chain(all)
    }

    fn target(self, schema: &Value) -> Option<&'a Value> {
        self.library.follow(schema.get("$ref")?.as_str()?)
    }
}

/// What is looked for in a schema.
type Get<'g, 'a> = &'g dyn Fn(&'a Value) -> Option<&'a Value>;

/// Tells two schemas apart, as long as both are there.
fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}

fn branches<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}
