//! Members and branches that sampled bodies have.

use serde_json::{Value, json};

use super::{Ledger, Used, info, parameters, used};
use crate::{
    Direction, Library,
    json::{Limits, Tree},
    rules::{Schemas, WrittenSchema},
};

fn library(schemas: &[Value]) -> Library {
    let written = |schema: &Value| WrittenSchema { schema: schema.clone(), file: "pets.yaml".into() };
    Schemas { schemas: schemas.iter().map(written).collect() }.into()
}

/// What is there after bodies went in that way.
fn after(schemas: &[Value], direction: Direction, bodies: &[Value]) -> Used {
    let (ledger, library) = (Ledger::default(), library(schemas));
    let schema = library.schema(0, None).unwrap();
    let record = ledger.operation(&info("list"), &parameters(&[]));
    for body in bodies {
        let tree = Tree::of(body, &Limits::default()).unwrap();
        assert!(schema.is_valid(&tree), "{body}");
        record.visit(direction, &schema, &tree);
    }
    used(&ledger, "list")
}

fn unseen(used: &Used) -> Vec<String> {
    let name = |place: &super::Place| match place.branch {
        Some((keyword, index)) => format!("{} {keyword} {index}", place.pointer),
        None => place.pointer.clone(),
    };
    used.samples[0].unseen.iter().map(name).collect()
}

#[test]
fn members_are_seen_through_references_items_and_additional_members() {
    let pet = json!({ "type": "object", "x-line": 2, "properties": {
        "name": { "type": "string", "x-line": 3 },
        "a/b": { "type": "string", "x-line": 4 },
        "owner": { "$ref": "tollgate:schemas#/$defs/1", "x-line": 5 },
        "tags": { "type": "array", "x-line": 6, "items": { "type": "object", "properties": { "text": { "x-line": 7 }, "lang": { "x-line": 8 } } } },
        "more": { "additionalProperties": { "properties": { "x": {}, "y": {} } } },
    } });
    let owner = json!({ "type": "object", "properties": { "pet": { "$ref": "tollgate:schemas#/$defs/0" }, "mail": { "x-line": 20 } } });
    let bodies = [
        json!({ "name": "a", "owner": { "pet": { "name": "b" } } }),
        json!({ "name": "a", "tags": [{ "lang": "de" }], "more": { "any": { "x": 1 } } }),
    ];
    let used = after(&[pet, owner], Direction::Request, &bodies);
    assert_eq!(unseen(&used), ["/a~1b", "/owner/mail", "/tags/*/text", "/more/*/y"]);
    assert_eq!((used.samples[0].bodies, used.samples[0].places, used.samples[0].source.as_str()), (2, 11, "pets.yaml:2"));
    assert_eq!(used.samples[0].unseen[1].source, "pets.yaml:20");
}

#[test]
fn a_branch_that_no_body_can_have_been_meant_for_is_unseen() {
    let schema = json!({ "oneOf": [
        { "type": "object", "properties": { "kind": { "const": "cat" }, "lives": {} }, "required": ["kind"] },
        { "type": "object", "properties": { "kind": { "enum": ["dog"] }, "tricks": {} }, "required": ["kind"] },
        { "type": "string" },
        { "type": "object", "properties": { "only": {} }, "additionalProperties": false },
    ] });
    let used = after(&[schema], Direction::Request, &[json!({ "kind": "dog", "tricks": 3 }), json!({ "kind": "dog" })]);
    assert_eq!(unseen(&used), [" oneOf 0", " oneOf 2", " oneOf 3", "/kind", "/lives", "/only"]);
}

#[test]
fn members_of_the_other_way_are_not_expected() {
    let schema = json!({ "properties": { "id": { "readOnly": true }, "secret": { "$ref": "tollgate:schemas#/$defs/1" }, "name": {} } });
    let schemas = [schema, json!({ "type": "string", "writeOnly": true })];
    assert_eq!(unseen(&after(&schemas, Direction::Request, &[json!({})])), ["/secret", "/name"]);
    assert_eq!(unseen(&after(&schemas, Direction::Answer, &[json!({})])), ["/id", "/name"]);
}

#[test]
fn a_large_body_and_a_large_schema_cost_a_bounded_look() {
    let names: serde_json::Map<String, Value> = (0..3_000).map(|number| (format!("m{number}"), json!({}))).collect();
    let items = vec![json!({ "m0": 1 }); 40_000];
    let schema = json!({ "type": "array", "items": { "properties": names } });
    let used = after(&[schema], Direction::Answer, &[json!(items)]);
    let sampled = &used.samples[0];
    assert!(sampled.is_cut);
    assert_eq!((sampled.places, sampled.unseen.len()), (1_024, 1_023));
}

#[test]
fn a_deep_value_of_a_recursive_union_is_looked_at_and_no_longer() {
    let itself = json!({ "$ref": "tollgate:schemas#/$defs/0" });
    let list = |more: &str| json!({ "type": "array", "items": itself, "title": more });
    let union = json!({ "anyOf": [list("a"), list("b"), list("c"), { "type": "integer" }, { "type": "null" }] });
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(unseen(&after(&[union], Direction::Request, &[deep])), [" anyOf 4"]);
}
