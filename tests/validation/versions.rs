//! OpenAPI 2.0 and 3.2 by their own rules.

use serde_json::{Value, json};

use super::world::{Asked, World, definition};

fn hold(world: &World, cases: &[(Asked, bool)]) {
    let wrong = world.differences(cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn list(place: &str, format: Option<&str>) -> Value {
    let mut parameter = json!({ "in": place, "name": "n", "type": "array", "items": { "type": "integer", "maximum": 9 }, "maxItems": 3 });
    if let Some(format) = format {
        parameter["collectionFormat"] = format.into();
    }
    if place == "path" {
        parameter["required"] = true.into();
    }
    parameter
}

fn with(method: &str, parameters: Value) -> Value {
    json!({ method: { "parameters": parameters, "responses": { "200": { "description": "ok" } } } })
}

fn swagger(paths: Value) -> Value {
    json!({ "swagger": "2.0", "info": { "title": "old", "version": "1" }, "paths": paths })
}

#[test]
fn lists_of_openapi_2_0_are_split_by_their_collection_format() {
    let world = World::serving(&swagger(json!({
        "/plain": with("get", json!([list("query", None)])),
        "/csv": with("get", json!([list("query", Some("csv"))])),
        "/ssv": with("get", json!([list("query", Some("ssv"))])),
        "/tsv": with("get", json!([list("query", Some("tsv"))])),
        "/pipes": with("get", json!([list("query", Some("pipes"))])),
        "/multi": with("get", json!([list("query", Some("multi"))])),
        "/path/{n}": with("get", json!([list("path", None)])),
        "/header": with("get", json!([list("header", None)])),
    })));
    let get = |target: &str| Asked::new(target, "GET", target);
    let mut cases: Vec<(Asked, bool)> = Vec::new();
    for (path, separator) in [("plain", ","), ("csv", ","), ("ssv", "%20"), ("tsv", "%09"), ("pipes", "%7C"), ("multi", "&n=")] {
        let numbers = |all: &[&str]| get(&format!("/{path}?n={}", all.join(separator)));
        cases.extend([
            (numbers(&["1"]), true),
            (numbers(&["1", "2", "3"]), true),
            (numbers(&["1", "2", "3", "4"]), false),
            (numbers(&["1", "10"]), false),
            (numbers(&["1", "x"]), false),
        ]);
    }
    cases.extend([
        (get("/path/1,2"), true),
        (get("/path/1,10"), false),
        (get("/header").field("n: 1, 2"), true),
        (get("/header").field("n: 1,2,3,4"), false),
    ]);
    hold(&world, &cases);
}

fn multipart(parts: &[(&str, &str)]) -> (String, String) {
    let body: String =
        parts.iter().map(|(name, value)| format!("--b\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n")).collect();
    ("Content-Type: multipart/form-data; boundary=b".to_owned(), format!("{body}--b--\r\n"))
}

#[test]
fn forms_files_and_bodies_of_openapi_2_0_are_held_to_their_parameters() {
    let age = json!({ "in": "formData", "name": "age", "type": "integer", "minimum": 18, "exclusiveMinimum": true, "required": true });
    let file = json!({ "in": "formData", "name": "file", "type": "file", "required": true });
    let pet = json!({ "in": "body", "name": "any", "required": true, "schema": { "type": "object", "required": ["name"], "properties": {
        "name": { "type": "string", "x-nullable": true }, "id": { "type": "integer", "format": "int32", "readOnly": true },
    } } });
    let mut definition = swagger(json!({
        "/form": with("post", json!([age])), "/upload": with("post", json!([age, file])), "/pet": with("post", json!([pet])),
    }));
    definition["paths"]["/upload"]["post"]["consumes"] = json!(["multipart/form-data"]);
    definition["consumes"] = json!(["application/json", "application/x-www-form-urlencoded"]);
    let form = |body: &str| Asked::new(body, "POST", "/form").field("Content-Type: application/x-www-form-urlencoded").body(body);
    let upload = |parts: &[(&str, &str)]| {
        let (field, body) = multipart(parts);
        Asked::new("upload", "POST", "/upload").field(field).body(body)
    };
    let file = ("name=\"file\"; filename=\"a.bin\"", "\u{1}\u{2}");
    let pet = |body: &str| Asked::json("pet", "/pet", body);
    let cases = [
        (form("age=19"), true),
        (form("age=18"), false),
        (form("other=1"), false),
        (upload(&[("name=\"age\"", "19"), file]), true),
        (upload(&[("name=\"age\"", "17"), file]), false),
        (upload(&[("name=\"age\"", "19")]), false),
        (pet(r#"{"name":"a"}"#), true),
        (pet(r#"{"name":null}"#), true),
        (pet(r#"{"id":1}"#), false),
        (pet(r#"{"name":"a","id":3000000000}"#), false),
        (Asked::new("no body", "POST", "/pet").field("Content-Type: application/json"), false),
    ];
    hold(&World::serving(&definition), &cases);
}

#[test]
fn query_and_sequences_of_openapi_3_2_are_held_to_their_schemas() {
    let item = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let responses = json!({ "200": { "description": "ok" } });
    let world = World::serving(&definition(
        "3.2.0",
        json!({
            "/search": {
                "query": { "requestBody": { "required": true, "content": { "application/json": { "schema": item } } }, "responses": responses },
                "additionalOperations": { "LINK": { "parameters": [{ "in": "query", "name": "n", "required": true, "schema": { "type": "integer" } }], "responses": responses } },
            },
            "/lines": { "post": { "requestBody": { "content": { "application/x-ndjson": { "itemSchema": item } } }, "responses": responses } },
        }),
    ));
    let query = |body: &str| Asked::new("query", "QUERY", "/search").field("Content-Type: application/json").body(body);
    let lines = |body: &str| Asked::new("lines", "POST", "/lines").field("Content-Type: application/x-ndjson").body(body);
    let cases = [
        (query(r#"{"n":1}"#), true),
        (query(r#"{"n":"x"}"#), false),
        (Asked::new("link", "LINK", "/search?n=1"), true),
        (Asked::new("link", "LINK", "/search?n=x"), false),
        (Asked::new("link", "LINK", "/search"), false),
        (lines("{\"n\":1}\n{\"n\":2}\n"), true),
        (lines("{\"n\":1}\n{\"n\":\"x\"}\n"), false),
        (lines("{\"n\":1}\n{\"n\":2"), false),
    ];
    hold(&world, &cases);
}
