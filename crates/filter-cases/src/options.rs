//! A schema, taken apart into the options that a person writes.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use serde_json::{Map, Value};
use tollgate_filter_api::Kind;

/// One option of a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct OptionDoc {
    /// Where it stands: `issuers[].keys`; `*` for the keys of a map.
    pub path: String,
    /// What may be written, in words.
    pub kind: String,
    /// Whether it must be written.
    pub required: bool,
    /// Its default, as JSON; `None` when absence is a meaning of its own.
    pub default: Option<Value>,
    /// Its sentence.
    pub description: String,
    /// Whether its value is kept from print.
    pub secret: bool,
    /// Whether a text of any form is written here; a time or a size is none.
    pub text: bool,
}

/// Definitions deeper than this are recursive, or nobody can write them.
const DEEPEST: usize = 12;

/// Every option of a filter at every depth, in the order of the settings type.
pub fn options(kind: &Kind) -> Vec<OptionDoc> {
    let tree = Tree::of(kind);
    let mut found = Vec::new();
    tree.walk(&tree.root, "", DEEPEST, &mut found);
    found
}

/// The schema of a filter's settings, with its definitions.
pub struct Tree {
    /// The schema itself.
    pub root: Value,
    definitions: Map<String, Value>,
}

impl Tree {
    /// The schema of a filter's settings.
    pub fn of(kind: &Kind) -> Self {
        let mut generator = SchemaGenerator::default();
        let root = (kind.schema)(&mut generator).to_value();
        Self { root, definitions: generator.take_definitions(true) }
    }

    /// The schema behind references; siblings of a reference win.
    pub(crate) fn resolve(&self, schema: &Value) -> Map<String, Value> {
        let mut resolved = schema.as_object().cloned().unwrap_or_default();
        while let Some(Value::String(reference)) = resolved.remove("$ref") {
            let name = reference.rsplit('/').next().unwrap_or_default();
            let Some(Value::Object(target)) = self.definitions.get(name) else { break };
            for (key, value) in target {
                resolved.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        resolved
    }

    /// Every shape that a schema allows, `null` left out.
    pub fn shapes(&self, schema: &Value) -> Vec<Map<String, Value>> {
        let resolved = self.resolve(schema);
        for combinator in ["anyOf", "oneOf"] {
            if let Some(Value::Array(branches)) = resolved.get(combinator) {
                let shapes = branches.iter().flat_map(|branch| self.shapes(branch));
                return shapes.filter(|shape| shape.get("type") != Some(&Value::from("null"))).collect();
            }
        }
        vec![resolved]
    }

    fn walk(&self, schema: &Value, path: &str, depth: usize, found: &mut Vec<OptionDoc>) {
        if depth == 0 {
            return;
        }
        for shape in self.shapes(schema) {
            if let Some(Value::Object(properties)) = shape.get("properties") {
                let required = names(shape.get("required"));
                for (name, property) in properties {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    push(found, self.option(&path, property, required.contains(&name.as_str())));
                    self.walk(property, &path, depth - 1, found);
                }
            }
            if let Some(items) = shape.get("items") {
                self.walk(items, &format!("{path}[]"), depth - 1, found);
            }
            if let Some(values @ Value::Object(_)) = shape.get("additionalProperties") {
                self.walk(values, &format!("{path}.*"), depth - 1, found);
            }
        }
    }

    fn option(&self, path: &str, property: &Value, required: bool) -> OptionDoc {
        let resolved = self.resolve(property);
        let shapes = self.shapes(property);
        let own = property.get("description").or_else(|| resolved.get("description"));
        OptionDoc {
            path: path.to_owned(),
            kind: self.words(property, DEEPEST),
            required,
            default: resolved.get("default").filter(|default| !default.is_null()).cloned(),
            description: format!("{}{}", own.and_then(Value::as_str).unwrap_or_default(), meanings(&shapes)),
            secret: shapes.iter().any(|shape| shape.get("writeOnly") == Some(&Value::Bool(true))),
            text: shapes.iter().any(|shape| names(shape.get("type")).contains(&"string") && !shape.contains_key("pattern")),
        }
    }

    /// A type in words.
    fn words(&self, schema: &Value, depth: usize) -> String {
        let mut words: Vec<String> = Vec::new();
        for shape in self.shapes(schema) {
            let word = self.word(&shape, depth);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(" or ")
    }

    fn word(&self, shape: &Map<String, Value>, depth: usize) -> String {
        if depth == 0 {
            return "…".into();
        }
        if let Some(value) = shape.get("const") {
            return format!("`{}`", plain(value));
        }
        if let Some(Value::Array(values)) = shape.get("enum") {
            return values.iter().map(|value| format!("`{}`", plain(value))).collect::<Vec<_>>().join(", ");
        }
        let types = names(shape.get("type"));
        match types.into_iter().find(|name| *name != "null") {
            Some("array") => {
                format!("list of {}", shape.get("items").map_or_else(|| "anything".into(), |items| self.words(items, depth - 1)))
            }
            Some("object") => match shape.get("additionalProperties") {
                Some(values @ Value::Object(_)) => format!("map to {}", self.words(values, depth - 1)),
                _ => "object".into(),
            },
            Some("string") => text(shape),
            Some("integer") => "whole number".into(),
            Some(other) => other.to_owned(),
            None => "anything".into(),
        }
    }
}

/// What each choice means, where the code says so.
fn meanings(shapes: &[Map<String, Value>]) -> String {
    let meaning =
        |shape: &Map<String, Value>| Some(format!(" `{}`: {}", shape.get("const")?.as_str()?, shape.get("description")?.as_str()?));
    shapes.iter().filter_map(meaning).collect()
}

/// Text, and which text where the schema says so.
fn text(shape: &Map<String, Value>) -> String {
    if shape.get("writeOnly") == Some(&Value::Bool(true)) {
        return "secret".into();
    }
    match shape.get("examples").and_then(Value::as_array).and_then(|examples| examples.first()) {
        Some(example) => format!("text such as `{}`", plain(example)),
        None => "text".into(),
    }
}

/// A string, or a list of strings.
fn names(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Several shapes of one value may have the same option; the first that has a sentence speaks for all.
fn push(found: &mut Vec<OptionDoc>, option: OptionDoc) {
    let known: BTreeMap<&str, usize> = found.iter().enumerate().map(|(at, known)| (known.path.as_str(), at)).collect();
    match known.get(option.path.as_str()) {
        Some(&at) if found[at].description.is_empty() => found[at] = option,
        Some(_) => {}
        None => found.push(option),
    }
}
