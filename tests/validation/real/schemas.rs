//! The schemas of a description, references followed and `allOf` merged.

use serde_json::{Map, Value};

/// A description, and what its version says of schemas.
pub struct Definition {
    pub root: Value,
    /// OpenAPI 3.0: what stands beside a `$ref` says nothing.
    pub old: bool,
}

/// What all of a schema's `allOf` say together. Choices stay apart.
#[derive(Clone, Debug, Default)]
pub struct Flat {
    pub says: Map<String, Value>,
    pub choices: Vec<Vec<Value>>,
}

/// References in a row.
const MOST: usize = 32;

impl Definition {
    pub fn new(root: Value) -> Self {
        let old = root["openapi"].as_str().is_none_or(|version| version.starts_with("3.0"));
        Self { root, old }
    }

    /// What a reference stands for, when nothing is beside it that counts.
    pub fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        for _ in 0..MOST {
            let Some(target) = value["$ref"].as_str().and_then(|target| target.strip_prefix('#')) else { break };
            value = self.at(target);
        }
        value
    }

    fn at(&self, pointer: &str) -> &Value {
        self.root.pointer(&pointer.replace("%7B", "{").replace("%7D", "}")).unwrap_or_else(|| panic!("{pointer} is not there"))
    }

    /// `None` when it goes on forever.
    pub fn flat(&self, schema: &Value) -> Option<Flat> {
        let mut flat = Flat::default();
        self.add(&mut flat, schema, 0)?;
        Some(flat)
    }

    /// Adds what another schema says.
    pub fn add(&self, flat: &mut Flat, schema: &Value, depth: usize) -> Option<()> {
        let schema = match schema {
            Value::Object(schema) if depth < MOST => schema,
            Value::Bool(true) => return Some(()),
            _ => return None,
        };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            self.add(flat, self.at(target.strip_prefix('#')?), depth + 1)?;
            if self.old {
                return Some(());
            }
        }
        for (name, value) in schema {
            match name.as_str() {
                "allOf" => value.as_array()?.iter().try_for_each(|one| self.add(flat, one, depth + 1))?,
                "oneOf" | "anyOf" => flat.choices.push(value.as_array()?.clone()),
                "$ref" => {}
                _ => merge(&mut flat.says, name, value),
            }
        }
        Some(())
    }

    /// Whether a request has no use for a member of that schema.
    pub fn is_read_only(&self, schema: &Value) -> bool {
        self.flat(schema).is_some_and(|flat| flat.says.get("readOnly") == Some(&Value::Bool(true)))
    }
}

/// Both, as one keyword.
fn merge(says: &mut Map<String, Value>, name: &str, value: &Value) {
    let Some(old) = says.get_mut(name) else {
        says.insert(name.to_owned(), value.clone());
        return;
    };
    match (name, &mut *old, value) {
        ("properties", Value::Object(old), Value::Object(more)) => {
            for (name, schema) in more {
                let both = old.get(name).map_or_else(|| schema.clone(), |one| serde_json::json!({ "allOf": [one, schema] }));
                old.insert(name.clone(), both);
            }
        }
        ("required", Value::Array(old), Value::Array(more)) => {
            let new: Vec<Value> = more.iter().filter(|name| !old.contains(name)).cloned().collect();
            old.extend(new);
        }
        ("enum", Value::Array(old), Value::Array(more)) => old.retain(|one| more.contains(one)),
        ("maxLength" | "maximum" | "maxItems" | "maxProperties" | "exclusiveMaximum", old, new) if new.as_f64() < old.as_f64() => {
            *old = new.clone()
        }
        ("minLength" | "minimum" | "minItems" | "minProperties" | "exclusiveMinimum", old, new) if new.as_f64() > old.as_f64() => {
            *old = new.clone()
        }
        ("additionalProperties" | "nullable", old, Value::Bool(false)) => *old = false.into(),
        ("readOnly", old, Value::Bool(true)) => *old = true.into(),
        _ => {}
    }
}

impl Flat {
    /// The names of its types, `null` among them when it may be null.
    pub fn types(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match self.says.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if self.says.get("nullable") == Some(&Value::Bool(true)) && !names.is_empty() {
            names.push("null");
        }
        names
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        self.says.get(name).and_then(Value::as_f64)
    }

    pub fn size(&self, name: &str) -> Option<usize> {
        self.says.get(name).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.says.get(name).and_then(Value::as_str)
    }

    pub fn values(&self, name: &str) -> Option<&[Value]> {
        self.says.get(name).and_then(Value::as_array).map(Vec::as_slice)
    }

    pub fn properties(&self) -> Option<&Map<String, Value>> {
        self.says.get("properties").and_then(Value::as_object)
    }

    pub fn requires(&self, name: &str) -> bool {
        self.values("required").is_some_and(|all| all.iter().any(|one| one == name))
    }
}
