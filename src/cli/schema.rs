//! `tollgate schema`: the JSON Schema of gateway.yaml, with what each filter of the catalogue may be told.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use tollgate_filters::FILTERS;

use super::report::{Failure, print_json};
use crate::config::Gateway;

/// Print the JSON Schema of gateway.yaml, for editors.
///
/// It knows the settings of every filter that may stand under `chain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run() -> Result<(), Failure> {
    print_json(&schema())
}

/// The schema of the whole file.
pub(super) fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let gateway = generator.subschema_for::<Gateway>();
    let mut named = Map::new();
    for kind in FILTERS {
        let mut settings = (kind.schema)(&mut generator).to_value();
        // A reference may have a description beside it since draft 2019-09.
        if let Some(object) = settings.as_object_mut() {
            object.insert("description".to_owned(), json!(format!("Settings of `{}`.", kind.id)));
        }
        named.insert(kind.id.to_owned(), settings);
    }
    let mut definitions = generator.take_definitions(true);
    definitions.insert("FilterStep".to_owned(), step(&named));
    definitions.insert("ChainStep".to_owned(), any_of());
    if let Some(chain) = definitions.get_mut("Gateway").and_then(|gateway| gateway.pointer_mut("/properties/chain")) {
        chain["items"] = json!({ "$ref": "#/$defs/ChainStep" });
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gateway.yaml",
        "$ref": gateway.to_value()["$ref"],
        "$defs": definitions,
    })
}

/// A filter by its name, or by its name with settings.
fn step(named: &Map<String, Value>) -> Value {
    let ids: Vec<&String> = named.keys().collect();
    json!({ "oneOf": [
        { "enum": ids, "description": "A filter without settings of its own." },
        {
            "type": "object",
            "properties": named,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "description": "A filter and its settings.",
        },
    ] })
}

/// A filter, or alternatives of which one is enough.
fn any_of() -> Value {
    let list = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/FilterStep" } });
    json!({ "oneOf": [
        { "$ref": "#/$defs/FilterStep" },
        {
            "type": "object",
            "description": "Alternatives, under a name for people or without one.",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": { "not": { "enum": FILTERS.iter().map(|kind| kind.id).collect::<Vec<_>>() } },
            "properties": { "any_of": list },
            "additionalProperties": {
                "type": "object",
                "properties": { "any_of": list },
                "required": ["any_of"],
                "additionalProperties": false,
            },
        },
    ] })
}
