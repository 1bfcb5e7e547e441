//! Every place that a parameter may have, below a base path.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Project, Reply, Settings, Upstream};

use crate::validation::world::{Asked, World, definition, open};

/// An operation with these parameters.
fn get(parameters: Value) -> Value {
    json!({ "get": { "parameters": parameters, "responses": { "200": { "description": "ok" } } } })
}

fn world() -> World {
    let list = json!({ "type": "array", "items": { "type": "integer" }, "maxItems": 2 });
    let in_path = |more: Value| {
        let mut parameter = json!({ "in": "path", "name": "id", "required": true, "schema": list });
        parameter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameter
    };
    let paths = json!({
        "/simple/{id}:{verb}": get(json!([in_path(json!({})), { "in": "path", "name": "verb", "required": true, "schema": { "enum": ["run", "a:b"] } }])),
        "/label/{id}": get(json!([in_path(json!({ "style": "label", "explode": true }))])),
        "/matrix/{id}": get(json!([in_path(json!({ "style": "matrix" }))])),
        "/cookie": get(json!([
            { "in": "cookie", "name": "n", "required": true, "schema": list, "explode": false },
            { "in": "cookie", "name": "raw", "style": "cookie", "schema": { "type": "string", "maxLength": 3 } },
        ])),
        "/field": get(json!([{ "in": "header", "name": "X-N", "schema": list }, { "in": "header", "name": "Accept", "required": true, "schema": list }])),
        "/whole": get(json!([{ "in": "querystring", "name": "q", "required": true, "content": { "application/json": { "schema": list } } }])),
        "/open": get(json!([{ "in": "query", "name": "q", "schema": { "type": "object", "properties": { "a": {} }, "additionalProperties": { "type": "integer" } } }])),
        "/known": get(json!([{ "in": "query", "name": "q", "schema": { "type": "string" } }])),
    });
    let mut definition = definition("3.2.0", paths);
    definition["x-tollgate-validate"] = json!({ "unknown_query": "refuse" });
    definition["components"] = json!({ "securitySchemes": { "key": { "type": "apiKey", "in": "query", "name": "key" } } });
    let upstream = Upstream::start();
    let text = open(&definition.to_string(), &upstream.url()).replacen("\"x-wso2-basePath\":\"/\"", "\"x-wso2-basePath\":\"/one/two\"", 1);
    let config = json!({ "chain": ["validate"], "paths": { "semicolon": "keep" } });
    let gateway = Gateway::start(&Project::new().definition("api.json", text).build(&[]), Settings::of(config));
    World { upstream, gateway }
}

#[test]
fn a_parameter_is_judged_in_every_place_below_a_base_path() {
    let world = world();
    let cases = [
        ("/simple/1,2:run", "", true),
        ("/simple/1%2C2:run", "", false),
        ("/simple/1,2%3Arun", "", true),
        ("/simple/1:a:b", "", true),
        ("/simple/1,2,3:run", "", false),
        ("/simple/1:stop", "", false),
        ("/label/.1.2", "", true),
        ("/label/1.2", "", false),
        ("/label/.1.x", "", false),
        ("/matrix/;id=1,2", "", true),
        ("/matrix/;no=1,2", "", false),
        ("/cookie", "Cookie: m=x; n=1,2", true),
        ("/cookie", "Cookie: n=1,x", false),
        ("/cookie", "Cookie: n=1; n=2", false),
        ("/cookie", "Cookie: N=1", false),
        ("/cookie", "Cookie: n=1; raw=%41", true),
        ("/cookie", "Cookie: n=1; raw=long", false),
        ("/field", "x-n: 1, 2", true),
        ("/field", "x-n: 1, 2, 3", false),
        ("/whole?%5B1,2%5D", "", true),
        ("/whole?%5B1,2", "", false),
        ("/whole?%5B1,2,3%5D", "", false),
        ("/whole", "", false),
        ("/open?a=x&b=1", "", true),
        ("/open?a=x&b=y", "", false),
        ("/known?q=1&key=k", "", true),
        ("/known?q=1&keys=k", "", false),
    ];
    let asked: Vec<_> = cases
        .iter()
        .map(|(target, field, pass)| {
            let asked = Asked::new(format!("{target} {field}"), "GET", &format!("/one/two{target}"));
            (if field.is_empty() { asked } else { asked.field(*field) }, *pass)
        })
        .collect();
    let wrong = world.differences(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fields_of_answers_are_held_to_what_is_declared_of_them() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/good" => {
            Reply::with(200, &["Content-Type: text/plain", "X-Left: 3", "Set-Cookie: a=1; HttpOnly", "Set-Cookie: b=1; HttpOnly"], "x")
        }
        "/many" => Reply::with(200, &["Content-Type: text/plain", "X-Left: 3", "X-Left: 4"], "x"),
        "/cookie" => Reply::with(200, &["Content-Type: text/plain", "X-Left: 3", "Set-Cookie: a=1; HttpOnly", "Set-Cookie: b=1"], "x"),
        _ => Reply::with(200, &["Content-Type: text/plain", "X-Left: few"], "x"),
    });
    let headers = json!({
        "X-Left": { "required": true, "schema": { "type": "integer" } },
        "Set-Cookie": { "schema": { "type": "string", "pattern": "HttpOnly$" } },
    });
    let operation = json!({ "get": { "responses": { "200": { "description": "ok", "headers": headers, "content": { "text/plain": { "schema": { "type": "string" } } } } } } });
    let definition = definition("3.1.0", ["/good", "/many", "/cookie", "/bad"].map(|path| (path, operation.clone())).into_iter().collect());
    let project = Project::new().definition("api.json", open(&definition.to_string(), &upstream.url()));
    let gateway = Gateway::start(&project.build(&[]), Settings::of(json!({ "chain": [{ "validate": { "response": "enforce" } }] })));
    let status = |target: &str| gateway.send("GET", target, &[], b"").status();
    assert_eq!(["/good", "/many", "/cookie", "/bad"].map(status), [200, 502, 502, 502]);
}
