//! Lists and objects in a query, and fields that must be there.

use serde_json::{Value, json};

use crate::validation::world::{Asked, World, definition, takes};

fn parameter(name: &str, more: Value) -> Value {
    let mut parameter = json!({ "in": "query", "name": name });
    for (key, value) in more.as_object().unwrap() {
        parameter[key] = value.clone();
    }
    parameter
}

fn with(parameters: Value) -> Value {
    json!({ "get": { "parameters": parameters, "responses": { "200": { "description": "ok" } } } })
}

fn hold(world: &World, cases: &[(&str, bool)]) {
    let asked: Vec<_> = cases.iter().map(|(target, pass)| (Asked::new(*target, "GET", target), *pass)).collect();
    let wrong = world.differences(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let sent: Vec<&str> = cases.iter().filter(|(_, pass)| *pass).map(|(target, _)| *target).collect();
    let arrived: Vec<String> = world.upstream.requests().iter().map(|request| request.message.target().to_owned()).collect();
    assert_eq!(arrived, sent, "what is checked goes on as it was written");
}

// Trap 2.
#[test]
fn lists_in_a_query_are_split_before_they_are_decoded_and_each_item_is_checked() {
    let listed = json!({ "type": "array", "items": { "type": "string", "enum": ["a", "b", "a,b"] } });
    let numbers = json!({ "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 2, "maxItems": 3 });
    let world = World::serving(&definition(
        "3.0.3",
        json!({
            "/many": with(json!([parameter("n", json!({ "schema": listed }))])),
            "/list": with(json!([parameter("n", json!({ "schema": listed, "explode": false }))])),
            "/pipes": with(json!([parameter("n", json!({ "schema": listed, "style": "pipeDelimited", "explode": false }))])),
            "/spaces": with(json!([parameter("n", json!({ "schema": listed, "style": "spaceDelimited", "explode": false }))])),
            "/numbers": with(json!([parameter("n", json!({ "schema": numbers, "explode": false, "required": true }))])),
        }),
    ));
    let cases = [
        ("/many?n=a&n=b", true),
        ("/many?n=a", true),
        ("/many?n=a%2Cb&n=a", true),
        ("/many", true),
        ("/many?n=a&n=c", false),
        ("/many?n=b,a", false),
        ("/list?n=a,b", true),
        ("/list?n=b", true),
        ("/list?n=a%2Cb,b", true),
        ("/list?n=b%2Ca", false),
        ("/list?n=a,c", false),
        ("/pipes?n=a%7Cb", true),
        ("/pipes?n=a%7Cc", false),
        ("/spaces?n=a%20b", true),
        ("/spaces?n=a%20c", false),
        ("/numbers?n=1,2", true),
        ("/numbers?n=1,2,3,4", false),
        ("/numbers?n=1", false),
        ("/numbers?n=1,0", false),
        ("/numbers?n=1,x", false),
        ("/numbers", false),
    ];
    hold(&world, &cases);
}

// Trap 4.
#[test]
fn an_object_in_one_query_parameter_is_taken_apart_and_odd_ones_are_refused() {
    let page = json!({ "type": "object", "required": ["limit"], "properties": { "limit": { "type": "integer" }, "offset": { "type": "integer" } } });
    let world = World::serving(&definition(
        "3.0.3",
        json!({
            "/flat": with(json!([parameter("page", json!({ "schema": page, "explode": false, "required": true }))])),
            "/deep": with(json!([parameter("page", json!({ "schema": page, "style": "deepObject", "explode": true }))])),
        }),
    ));
    let cases = [
        ("/flat?page=limit,1,offset,2", true),
        ("/flat?page=offset,2,limit,1", true),
        ("/flat?page=limit,string,offset,string", false),
        ("/flat?page=offset,1", false),
        ("/flat?page=limit", false),
        ("/flat?page=limit,1,offset", false),
        ("/flat?page=", false),
        ("/flat?page=,,,", false),
        ("/deep?page%5Blimit%5D=1&page%5Boffset%5D=2", true),
        ("/deep?page%5Blimit%5D=x", false),
        ("/deep?page%5Boffset%5D=1", false),
    ];
    hold(&world, &cases);
}

/// An operation that takes a form.
fn form(schema: &Value) -> Value {
    json!({ "post": {
        "requestBody": { "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } } },
        "responses": { "200": { "description": "ok" } },
    } })
}

// Trap 4.
#[test]
fn a_bad_form_is_refused_by_its_members() {
    let schema = json!({ "type": "object", "required": ["age"], "additionalProperties": false, "properties": {
        "age": { "type": "integer", "minimum": 18 }, "tags": { "type": "array", "items": { "type": "string", "maxLength": 3 } },
    } });
    let world = World::serving(&definition("3.0.3", json!({ "/form": form(&schema) })));
    let cases = [
        ("age=18", true),
        ("age=18&tags=a&tags=b", true),
        ("age=17", false),
        ("age=x", false),
        ("tags=a", false),
        ("age=18&tags=long", false),
        ("age=18&other=1", false),
        ("age=18&age=19", false),
        ("age=%zz", false),
        ("age=18&tags=%ff", false),
    ];
    let asked = cases
        .map(|(body, pass)| (Asked::new(body, "POST", "/form").field("Content-Type: application/x-www-form-urlencoded").body(body), pass));
    let wrong = world.differences(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// Trap 5.
#[test]
fn a_missing_field_is_refused_in_the_gateways_own_words_whatever_the_definition_declares() {
    let mut item = with(json!([{ "in": "header", "name": "X-Tenant", "required": true, "schema": { "type": "string", "minLength": 2 } }]));
    item["get"]["responses"]["422"] =
        json!({ "description": "invalid", "content": { "application/json": { "example": "not of the gateway" } } });
    let world = World::serving(&definition("3.0.3", json!({ "/x": item })));
    let missing = world.ask(Asked::new("missing", "GET", "/x"));
    assert!(missing.refused(), "{missing:?}");
    let answer = missing.answer.as_ref().unwrap();
    assert_eq!((answer.status(), answer.field("content-type")), (400, Some("application/problem+json")), "{}", answer.text());
    let error = &missing.problem()["errors"][0];
    assert_eq!((error["in"].as_str(), error["rule"].as_str()), (Some("header"), Some("required")), "{}", answer.text());
    assert!(error["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("x-tenant")), "{error}");
    assert!(!answer.text().contains("not of the gateway"));
    assert!(world.ask(Asked::new("short", "GET", "/x").field("x-tenant: a")).refused());
    assert!(world.ask(Asked::new("good", "GET", "/x").field("x-tenant: ab")).passed());
}

// Trap 5.
#[test]
fn a_refusal_repeats_neither_values_nor_names_that_only_the_client_knows() {
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": { "n": { "type": "integer" } } });
    let world = World::serving(&definition("3.0.3", json!({ "/x": { "post": takes(schema) } })));
    let verdict = world.ask(Asked::json("x", "/x", r#"{"n":"the-value-of-a-client","the-name-of-a-client":1}"#));
    assert!(verdict.refused(), "{verdict:?}");
    let mut rules = verdict.rules();
    rules.sort();
    assert_eq!(rules, ["additionalProperties", "type"]);
    assert!(!verdict.answer.unwrap().text().contains("of-a-client"));
}
