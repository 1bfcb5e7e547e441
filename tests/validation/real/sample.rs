//! A value made from a schema, always the same one.

use serde_json::{Map, Value, json};

use super::{
    schemas::{Definition, Flat},
    texts,
};

/// Below this only what is required is made.
const GENEROUS: usize = 3;

/// No deeper than this.
const DEEPEST: usize = 12;

impl Definition {
    /// A value that fits; `None` when none was found.
    pub fn sample(&self, schema: &Value) -> Option<Value> {
        self.made(schema, 0).filter(|value| self.fits(schema, value))
    }

    fn made(&self, schema: &Value, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.chosen(schema, self.flat(schema)?, depth)
    }

    /// The first combination of branches that fits.
    fn chosen(&self, schema: &Value, mut flat: Flat, depth: usize) -> Option<Value> {
        let Some(branches) = flat.choices.pop() else { return self.plain(&flat, depth) };
        branches.iter().find_map(|branch| {
            let mut with = flat.clone();
            self.add(&mut with, branch, 0)?;
            self.chosen(schema, with, depth).filter(|value| self.fits(schema, value))
        })
    }

    fn plain(&self, flat: &Flat, depth: usize) -> Option<Value> {
        if let Some(only) = flat.says.get("const") {
            return Some(only.clone());
        }
        if let Some(all) = flat.values("enum") {
            return all.iter().find(|value| !value.is_null()).or(all.first()).cloned();
        }
        match flat.types().first().copied().unwrap_or_else(|| implied(flat)) {
            "object" => self.object(flat, depth),
            "array" => self.array(flat, depth),
            "string" => string(flat).map(Value::String),
            "integer" => number(flat, true),
            "number" => number(flat, false),
            "boolean" => Some(true.into()),
            "null" => Some(Value::Null),
            _ => None,
        }
    }

    fn object(&self, flat: &Flat, depth: usize) -> Option<Value> {
        let mut object = Map::new();
        for (name, schema) in flat.properties().into_iter().flatten() {
            if self.is_read_only(schema) {
                continue;
            }
            let required = flat.requires(name);
            if required || depth < GENEROUS {
                match self.made(schema, depth + 1) {
                    Some(value) => drop(object.insert(name.clone(), value)),
                    None if required => return None,
                    None => {}
                }
            }
        }
        let more = flat.says.get("additionalProperties").filter(|schema| schema.is_object()).cloned().unwrap_or_else(|| json!({}));
        for name in flat.values("required").unwrap_or_default().iter().filter_map(Value::as_str) {
            if !object.contains_key(name) && flat.properties().is_none_or(|all| !all.contains_key(name)) {
                object.insert(name.to_owned(), self.made(&more, depth + 1)?);
            }
        }
        while object.len() < flat.size("minProperties").unwrap_or(0) {
            object.insert(format!("more{}", object.len()), self.made(&more, depth + 1)?);
        }
        Some(object.into())
    }

    fn array(&self, flat: &Flat, depth: usize) -> Option<Value> {
        let anything = json!({});
        let schema = flat.says.get("items").unwrap_or(&anything);
        let count = flat.size("minItems").unwrap_or(0).max(usize::from(flat.size("maxItems") != Some(0)));
        match self.made(schema, depth + 1) {
            Some(item) => Some(vec![item; count].into()),
            None if flat.size("minItems").unwrap_or(0) == 0 => Some(json!([])),
            None => None,
        }
    }
}

fn implied(flat: &Flat) -> &'static str {
    let has = |name: &str| flat.says.contains_key(name);
    if has("properties") || has("additionalProperties") || has("required") {
        "object"
    } else if has("items") {
        "array"
    } else {
        "string"
    }
}

fn string(flat: &Flat) -> Option<String> {
    let (min, max) = (flat.size("minLength").unwrap_or(0), flat.size("maxLength").unwrap_or(usize::MAX));
    let known: Vec<&str> = ["example", "default"].iter().filter_map(|name| flat.text(name)).collect();
    if let Some(pattern) = flat.text("pattern") {
        return texts::matching(pattern, &known, min, max);
    }
    if let Some(text) = flat.text("format").and_then(texts::of_format) {
        return Some(text.to_owned()).filter(|text| (min..=max).contains(&text.len()));
    }
    let text = if (min..=max).contains(&6) { "sample".to_owned() } else { "a".repeat(min.max(1).min(max)) };
    Some(text)
}

fn number(flat: &Flat, whole: bool) -> Option<Value> {
    let exclusive = |name: &str| flat.says.get(name) == Some(&Value::Bool(true));
    let step = flat.number("multipleOf").unwrap_or(1.0);
    let mut low = flat.number("minimum").unwrap_or(f64::NEG_INFINITY);
    if exclusive("exclusiveMinimum") {
        low += step;
    }
    low = low.max(flat.number("exclusiveMinimum").map_or(f64::NEG_INFINITY, |bound| bound + step));
    let mut high = flat.number("maximum").unwrap_or(f64::INFINITY);
    if exclusive("exclusiveMaximum") {
        high -= step;
    }
    high = high.min(flat.number("exclusiveMaximum").map_or(f64::INFINITY, |bound| bound - step));
    let wanted = step.max(low).min(high);
    let wanted = if whole { wanted.ceil() } else { wanted };
    if wanted.fract() == 0.0 { Some(json!(wanted as i64)) } else { Some(json!(wanted)) }
}
