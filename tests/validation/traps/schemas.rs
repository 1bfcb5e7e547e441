//! Null, what is only read or only written, and unions that contain themselves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Project, Reply, Settings, Upstream};

use crate::validation::world::{Asked, World, definition, open, takes};

/// With this schema under `/name`, and these components.
fn taking(version: &str, schemas: &[(&str, Value)], components: Value) -> Value {
    let paths: serde_json::Map<String, Value> =
        schemas.iter().map(|(name, schema)| (format!("/{name}"), json!({ "post": takes(schema.clone()) }))).collect();
    let mut definition = definition(version, paths.into());
    definition["components"] = json!({ "schemas": components });
    definition
}

/// A body as it is written, and whether it passes.
type Case<'a> = (&'a str, &'a str, bool);

fn hold(definition: &Value, cases: &[Case<'_>]) {
    let world = World::serving(definition);
    let asked: Vec<_> = cases.iter().map(|(name, body, pass)| (Asked::json(*name, &format!("/{name}"), *body), *pass)).collect();
    let wrong = world.differences(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Cases for every position that `may_be_null` says something about.
fn null_positions(nullable: &Value, plain: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("property", json!({ "type": "object", "properties": { "may": nullable, "not": plain } })),
        (
            "items",
            json!({ "type": "object", "properties": { "may": { "type": "array", "items": nullable }, "not": { "type": "array", "items": plain } } }),
        ),
        (
            "additional",
            json!({ "type": "object", "properties": {
                "may": { "type": "object", "additionalProperties": nullable }, "not": { "type": "object", "additionalProperties": plain },
            } }),
        ),
        ("all-of", json!({ "type": "object", "allOf": [{ "type": "object", "properties": { "may": nullable, "not": plain } }] })),
        (
            "one-of",
            json!({ "type": "object", "properties": { "may": { "oneOf": [nullable, { "type": "integer" }] }, "not": { "oneOf": [plain, { "type": "integer" }] } } }),
        ),
        (
            "any-of",
            json!({ "type": "object", "properties": { "may": { "anyOf": [nullable, { "type": "integer" }] }, "not": { "anyOf": [plain, { "type": "integer" }] } } }),
        ),
        ("root", nullable.clone()),
    ]
}

const NULL_CASES: [Case<'static>; 20] = [
    ("property", r#"{"may":null}"#, true),
    ("property", r#"{"may":"a","not":"b"}"#, true),
    ("property", r#"{"not":null}"#, false),
    ("property", r#"{"may":1}"#, false),
    ("items", r#"{"may":["a",null]}"#, true),
    ("items", r#"{"not":[null]}"#, false),
    ("items", r#"{"may":null}"#, false),
    ("additional", r#"{"may":{"x":null}}"#, true),
    ("additional", r#"{"not":{"x":null}}"#, false),
    ("all-of", r#"{"may":null}"#, true),
    ("all-of", r#"{"not":null}"#, false),
    ("one-of", r#"{"may":null}"#, true),
    ("one-of", r#"{"not":null}"#, false),
    ("one-of", r#"{"not":1}"#, true),
    ("any-of", r#"{"may":null}"#, true),
    ("any-of", r#"{"not":null}"#, false),
    ("any-of", r#"{"not":"a"}"#, true),
    ("root", "null", true),
    ("root", "\"a\"", true),
    ("root", "1", false),
];

// Trap 1.
#[test]
fn null_passes_where_openapi_3_0_calls_it_nullable_and_nowhere_else() {
    let schemas = null_positions(&json!({ "$ref": "#/components/schemas/May" }), &json!({ "$ref": "#/components/schemas/Not" }));
    let components = json!({ "May": { "type": "string", "nullable": true }, "Not": { "type": "string" } });
    hold(&taking("3.0.3", &schemas, components), &NULL_CASES);
    hold(
        &taking("3.0.3", &null_positions(&json!({ "type": "string", "nullable": true }), &json!({ "type": "string" })), json!({})),
        &NULL_CASES,
    );
}

// Trap 1.
#[test]
fn null_passes_where_openapi_3_1_has_it_among_the_types_and_nowhere_else() {
    hold(&taking("3.1.0", &null_positions(&json!({ "type": ["string", "null"] }), &json!({ "type": "string" })), json!({})), &NULL_CASES);
}

// Trap 1.
#[test]
fn nullable_takes_no_other_rule_away() {
    let schemas = [
        ("enum", json!({ "type": "string", "nullable": true, "enum": ["a"] })),
        ("all-of", json!({ "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Text" }] })),
        ("type-all-of", json!({ "type": "string", "nullable": true, "allOf": [{ "$ref": "#/components/schemas/Text" }] })),
        (
            "property-of-that-name",
            json!({ "type": "object", "properties": { "nullable": { "type": "boolean" } }, "required": ["nullable"] }),
        ),
    ];
    let cases = [
        ("enum", "null", false),
        ("enum", "\"a\"", true),
        ("all-of", "null", false),
        ("type-all-of", "null", false),
        ("property-of-that-name", r#"{"nullable":true}"#, true),
        ("property-of-that-name", r#"{"nullable":null}"#, false),
        ("property-of-that-name", "null", false),
    ];
    hold(&taking("3.0.3", &schemas, json!({ "Text": { "type": "string" } })), &cases);
}

/// A component of which one member is only read and one only written, required outside.
fn account() -> (Vec<(&'static str, Value)>, Value) {
    let components = json!({
        "Id": { "type": "integer", "readOnly": true },
        "Base": { "type": "object", "properties": {
            "id": { "type": "integer", "readOnly": true },
            "name": { "type": "string" },
            "password": { "type": "string", "writeOnly": true },
        } },
        "ByReference": { "type": "object", "required": ["id", "name"], "properties": {
            "id": { "$ref": "#/components/schemas/Id" }, "name": { "type": "string" },
        } },
    });
    let outside = json!({ "allOf": [{ "$ref": "#/components/schemas/Base" }, { "required": ["id", "name", "password"] }] });
    let inside = json!({ "allOf": [{ "$ref": "#/components/schemas/Base" }], "required": ["id", "name", "password"] });
    let schemas = vec![
        ("outside", outside),
        ("inside", inside),
        ("reference", json!({ "$ref": "#/components/schemas/ByReference" })),
        ("items", json!({ "type": "array", "items": { "$ref": "#/components/schemas/ByReference" } })),
    ];
    (schemas, components)
}

// Trap 3.
#[test]
fn a_request_needs_no_member_that_is_only_read_wherever_it_is_required() {
    let (schemas, components) = account();
    let cases = [
        ("outside", r#"{"name":"a","password":"b"}"#, true),
        ("outside", r#"{"password":"b"}"#, false),
        ("outside", r#"{"name":"a"}"#, false),
        ("inside", r#"{"name":"a","password":"b"}"#, true),
        ("inside", r#"{"name":"a"}"#, false),
        ("reference", r#"{"name":"a"}"#, true),
        ("reference", r#"{}"#, false),
        ("items", r#"[{"name":"a"},{"name":"b"}]"#, true),
        ("items", r#"[{"name":"a"},{}]"#, false),
    ];
    for version in ["3.0.3", "3.1.0"] {
        hold(&taking(version, &schemas, components.clone()), &cases);
    }
}

/// Asks for answers with these bodies under each schema; what came of each.
fn answered(version: &str, schemas: &[(&str, Value)], components: &Value, bodies: &[&'static str]) -> Vec<(String, u16)> {
    let mut all = Vec::new();
    for (name, schema) in schemas {
        for &body in bodies {
            let upstream = Upstream::answering(move |_| Reply::with(200, &["Content-Type: application/json"], body));
            let operation =
                json!({ "responses": { "200": { "description": "ok", "content": { "application/json": { "schema": schema } } } } });
            let mut definition = definition(version, json!({ "/x": { "get": operation } }));
            definition["components"] = json!({ "schemas": components });
            let artifact = Project::new().definition("api.json", open(&definition.to_string(), &upstream.url()));
            let gateway =
                Gateway::start(&artifact.build(&[]), Settings::of(json!({ "chain": [{ "validate": { "response": "enforce" } }] })));
            let answer = gateway.get("/x");
            assert!(answer.status() != 200 || answer.body == body.as_bytes(), "{name}: {}", answer.text());
            assert!(answer.status() == 200 || !answer.text().contains("secret"), "{name}: {}", answer.text());
            all.push((format!("{name} {body}"), answer.status()));
        }
    }
    all
}

// Trap 3.
#[test]
fn an_answer_needs_no_member_that_is_only_written_and_every_one_that_is_only_read() {
    let (schemas, components) = account();
    for version in ["3.0.3", "3.1.0"] {
        let statuses =
            answered(version, &schemas[..2], &components, &[r#"{"id":1,"name":"secret"}"#, r#"{"name":"secret","password":"x"}"#]);
        let wanted = [200, 502, 200, 502];
        assert_eq!(statuses.iter().map(|(_, status)| *status).collect::<Vec<_>>(), wanted, "{version}: {statuses:?}");
    }
}

/// A union that contains itself, as filters of query languages do.
fn expressions() -> Value {
    let branch = |name: &str, member: Value| json!({ "type": "object", "required": [name], "properties": { name: member } });
    let expression = json!({ "$ref": "#/components/schemas/Expression" });
    json!({
        "Expression": { "oneOf": [
            branch("and", json!({ "type": "array", "items": expression })),
            branch("or", json!({ "type": "array", "items": expression })),
            branch("not", expression.clone()),
            branch("field", json!({ "type": "string" })),
        ] },
        "Any": { "anyOf": [
            branch("and", json!({ "type": "array", "items": { "$ref": "#/components/schemas/Any" } })),
            branch("not", json!({ "$ref": "#/components/schemas/Any" })),
            branch("field", json!({ "type": "string" })),
        ] },
    })
}

/// So deep, with that leaf.
fn nested(depth: usize, leaf: &str) -> String {
    let opened: String = (0..depth).map(|level| if level % 2 == 0 { r#"{"not":"# } else { r#"{"and":["# }).collect();
    let closed: String = (0..depth).rev().map(|level| if level % 2 == 0 { "}" } else { "]}" }).collect();
    format!("{opened}{leaf}{closed}")
}

// Trap 6.
#[test]
fn a_union_that_contains_itself_is_refused_as_fast_as_it_is_accepted() {
    let schemas = ["Expression", "Any"].map(|name| (name, json!({ "$ref": format!("#/components/schemas/{name}") })));
    let definition = taking("3.0.3", &schemas, expressions()).to_string();
    let world = World::settings(&definition, &json!({ "chain": [{ "validate": { "limits": { "depth": 256 } } }] }));
    let before = world.gateway.memory_bytes();
    for (name, depth) in [("Expression", 1), ("Expression", 12), ("Expression", 120), ("Any", 12), ("Any", 120)] {
        let mut times = Vec::new();
        for (leaf, pass) in [(r#"{"field":"a"}"#, true), (r#"{"field":1}"#, false)] {
            let asked = Asked::json(format!("{name} {depth}"), &format!("/{name}"), nested(depth, leaf));
            let begun = Instant::now();
            let verdict = world.ask(asked.clone());
            times.push(begun.elapsed());
            assert_eq!(verdict.differs(&asked, pass), None);
        }
        println!("{name}, {depth} deep: {:?} accepted, {:?} refused", times[0], times[1]);
        assert!(times[1] < Duration::from_secs(1), "{name}, {depth} deep: {times:?}");
    }
    let deepest = world.ask(Asked::json("deepest", "/Expression", nested(4000, r#"{"field":1}"#)));
    assert!(deepest.refused(), "{deepest:?}");
    let grown = world.gateway.memory_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "grew by {grown} bytes");
}
