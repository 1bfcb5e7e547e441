//! Schemas with bodies for them: made by chance, and by somebody else.

use std::{collections::BTreeMap, fs};

use serde_json::{Map, Value, json, value::RawValue};
use tollgate_tests::shared_cases;

use crate::validation::world::{definition, takes};

/// Numbers that look random and are the same each time.
pub struct Dice(pub u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }

    fn one<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.roll(all.len())]
    }
}

const NAMES: [&str; 4] = ["a", "b", "c", "ü"];

fn schema(dice: &mut Dice, depth: usize) -> Value {
    let kinds = if depth == 0 { 5 } else { 10 };
    match dice.roll(kinds) {
        0 => json!({ "type": "string", "minLength": dice.roll(3), "maxLength": 2 + dice.roll(3) }),
        1 => json!({ "type": "integer", "minimum": dice.roll(4), "maximum": 4 + dice.roll(5) }),
        2 => json!({ "type": ["number", "null"], "exclusiveMaximum": 1.5 + dice.roll(5) as f64, "multipleOf": 0.5 }),
        3 => json!({ "enum": [dice.roll(3), "a", null, [1], 1.0] }),
        4 => json!({ "type": "boolean" }),
        5 => {
            json!({ "type": "array", "items": schema(dice, depth - 1), "minItems": dice.roll(2), "maxItems": 1 + dice.roll(3), "uniqueItems": dice.roll(2) == 0 })
        }
        6 | 7 => object(dice, depth),
        8 => json!({ dice.one(&["anyOf", "oneOf", "allOf"]): [schema(dice, depth - 1), schema(dice, depth - 1)] }),
        _ => json!({ "not": schema(dice, depth - 1) }),
    }
}

fn object(dice: &mut Dice, depth: usize) -> Value {
    let properties: Map<String, Value> =
        NAMES.iter().take(1 + dice.roll(4)).map(|name| ((*name).to_owned(), schema(dice, depth - 1))).collect();
    let mut object = json!({ "type": "object", "properties": properties, "required": [NAMES[dice.roll(2)]] });
    match dice.roll(4) {
        0 => object["additionalProperties"] = false.into(),
        1 => object["additionalProperties"] = schema(dice, depth - 1),
        2 => object["maxProperties"] = (1 + dice.roll(3)).into(),
        _ => {}
    }
    object
}

/// A value that is near what a schema wants, mostly.
fn value(dice: &mut Dice, schema: &Value, depth: usize) -> Value {
    if depth == 0 || dice.roll(8) == 0 {
        return [json!(null), json!(true), json!(1), json!(2.5), json!("aé"), json!([]), json!({ "a": 1 })][dice.roll(7)].clone();
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(branches) = schema[choice].as_array() {
            let branch = dice.roll(branches.len());
            return value(dice, &branches[branch], depth - 1);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[dice.roll(values.len())].clone();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "string" => json!("aé😀bcd".chars().take(dice.roll(6)).collect::<String>()),
        "integer" => json!(dice.roll(10)),
        "boolean" => json!(dice.roll(2) == 0),
        "array" => (0..dice.roll(4)).map(|_| value(dice, &schema["items"], depth - 1)).collect(),
        "object" => {
            let mut object = Map::new();
            for name in NAMES {
                if dice.roll(3) > 0 {
                    object.insert(name.to_owned(), value(dice, &schema["properties"][name], depth - 1));
                }
            }
            object.into()
        }
        _ => json!(dice.roll(14) as f64 / 4.0),
    }
}

/// One place of a body, changed.
fn changed(dice: &mut Dice, body: &Value) -> Value {
    let mut body = body.clone();
    let simple = [json!(null), json!(0), json!("x"), json!([1]), json!({})][dice.roll(5)].clone();
    match &mut body {
        Value::Array(all) if !all.is_empty() && dice.roll(4) > 0 => {
            let at = dice.roll(all.len());
            all[at] = changed(dice, &all[at]);
        }
        Value::Object(all) if !all.is_empty() && dice.roll(4) > 0 => {
            let name = all.keys().nth(dice.roll(all.len())).unwrap().clone();
            if dice.roll(3) == 0 {
                all.remove(&name);
            } else {
                all[&name] = changed(dice, &all[&name]);
            }
        }
        other => *other = simple,
    }
    body
}

/// Schemas by name, and bodies for them.
pub struct Material {
    pub components: Value,
    pub cases: Vec<(String, String)>,
}

/// So many schemas, each with so many bodies.
pub fn random(dice: &mut Dice, schemas: usize, bodies: usize) -> Material {
    let mut material = Material { components: json!({}), cases: Vec::new() };
    for number in 0..schemas {
        let (name, schema) = (format!("r{number}"), schema(dice, 3));
        for _ in 0..bodies {
            material.cases.push((name.clone(), value(dice, &schema, 5).to_string()));
        }
        material.components[name] = schema;
    }
    material
}

/// Adds the cases that somebody else made, and each with one place changed.
pub fn add_suite(material: &mut Material, dice: &mut Dice) {
    let Some(folder) = shared_cases("01-jsonschema") else { return };
    let document: Value = serde_json::from_str(&fs::read_to_string(folder.join("oas31.openapi.json")).unwrap()).unwrap();
    material.components.as_object_mut().unwrap().extend(document["components"]["schemas"].as_object().unwrap().clone());
    for line in fs::read_to_string(folder.join("oas31.cases.jsonl")).unwrap().lines() {
        let case: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
        let name: String = serde_json::from_str(case["path"].get()).unwrap();
        let name = name.trim_start_matches('/').to_owned();
        let body: Value = serde_json::from_str(case["body"].get()).unwrap();
        material.cases.push((name.clone(), changed(dice, &body).to_string()));
        material.cases.push((name, case["body"].get().to_owned()));
    }
}

impl Material {
    /// A definition that takes each under its name.
    pub fn definition(&self) -> Value {
        let take =
            |name: &String| (format!("/{name}"), json!({ "post": takes(json!({ "$ref": format!("#/components/schemas/{name}") })) }));
        let paths: Map<String, Value> = self.components.as_object().unwrap().keys().map(take).collect();
        let mut definition = definition("3.1.0", paths.into());
        definition["components"] = json!({ "schemas": self.components });
        definition
    }
}
