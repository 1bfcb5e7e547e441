use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::{
    finding::Part,
    json::{DEEPEST, Limits, Tree, parse},
    rules::{Schemas, WrittenSchema, reference},
};

fn library(schemas: &[Value]) -> Library {
    let written = |schema: &Value| WrittenSchema { schema: schema.clone(), file: "api.yaml".to_owned() };
    Library::from(Schemas { schemas: schemas.iter().map(written).collect() })
}

fn fits(schema: &Value, value: &Value) -> bool {
    let limits = Limits::default();
    library(std::slice::from_ref(schema)).schema(0, None).unwrap().is_valid(&Tree::of(value, &limits).unwrap())
}

#[test]
fn a_finding_names_place_rule_and_line_and_nothing_that_was_sent() {
    let address = json!({"type": "object", "x-line": 20, "properties": {"zip": {"type": "string", "maxLength": 5, "x-line": 22}}, "additionalProperties": false});
    let root = json!({"type": "object", "x-line": 10, "required": ["id"], "properties": {"place": {"$ref": reference(1)}}, "additionalProperties": {"type": "integer", "x-line": 12}});
    let library = library(&[root, address]);
    let value = json!({"place": {"zip": "secret-zip", "secret-name": 1}, "secret/key": "x"});
    let limits = Limits::default();
    let tree = Tree::of(&value, &limits).unwrap();
    let schema = library.schema(0, None).unwrap();
    assert!(!schema.is_valid(&tree));
    let mut found: Vec<_> = schema
        .findings(&tree, Part::Body)
        .into_iter()
        .map(|f| (f.pointer.clone(), f.rule.to_string(), f.source.clone().unwrap(), f.told()))
        .collect();
    found.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    let places: Vec<_> = found.iter().map(|(pointer, rule, line, _)| (pointer.as_str(), rule.as_str(), line.as_str())).collect();
    assert_eq!(
        places,
        [
            ("", "required", "api.yaml:10"),
            ("/*", "type", "api.yaml:12"),
            ("/place", "additionalProperties", "api.yaml:20"),
            ("/place/zip", "maxLength", "api.yaml:22")
        ]
    );
    assert!(!format!("{found:?}").contains("secret"), "{found:?}");
}

/// And, or and not, nested: what a query language looks like.
fn expression() -> Value {
    let list = json!({"type": "array", "items": {"$ref": reference(0)}});
    let with = |name: &str, schema: Value| json!({"type": "object", "required": [name], "properties": {name: schema}, "additionalProperties": false});
    json!({"oneOf": [with("and", list.clone()), with("or", list), with("not", json!({"$ref": reference(0)})), with("is", json!({"type": "string"}))]})
}

#[test]
fn what_a_recursive_union_refuses_is_explained_at_once() {
    let library = library(&[expression()]);
    let nested = |levels: usize| format!("{}{{\"is\":1}}{}", "{\"not\":".repeat(levels), "}".repeat(levels));
    let limits = Limits { depth: 200, ..Limits::default() };
    let schema = library.schema(0, None).unwrap();
    for levels in [12, 60, 120] {
        let text = nested(levels);
        let tree = parse(text.as_bytes(), &limits).unwrap();
        schema.findings(&tree, Part::Body);
        let best = (0..5).map(|_| {
            let begun = Instant::now();
            assert!(!schema.is_valid(&tree));
            let found = schema.findings(&tree, Part::Body);
            assert_eq!((found[0].rule.as_ref(), found[0].says.as_ref()), ("oneOf", "fits none of the alternatives"));
            begun.elapsed()
        });
        assert!(best.min().unwrap() < Duration::from_millis(5), "{levels}");
    }
}

#[test]
fn a_discriminator_says_whose_findings_are_told() {
    let branch = |name: &str, member: &str| json!({"x-line": 7, "type": "object", "required": [member], "properties": {"kind": {"const": name}, member: {"type": "integer"}}});
    let mapping = json!({"cat": reference(1), "dog": reference(2)});
    let pet =
        json!({"oneOf": [{"$ref": reference(1)}, {"$ref": reference(2)}], "discriminator": {"propertyName": "kind", "mapping": mapping}});
    let library = library(&[json!({"properties": {"pet": pet}}), branch("cat", "lives"), branch("dog", "bark")]);
    let found = |pet: Value| {
        let (value, limits) = (json!({"pet": pet}), Limits::default());
        let tree = Tree::of(&value, &limits).unwrap();
        let found = library.schema(0, None).unwrap().findings(&tree, Part::Body);
        found.into_iter().map(|f| (f.pointer, f.rule.into_owned(), f.says.into_owned())).collect::<Vec<_>>()
    };
    let told = |pointer: &str, rule: &str, says: &str| vec![(pointer.to_owned(), rule.to_owned(), says.to_owned())];
    assert_eq!(found(json!({"kind": "dog", "bark": "x"})), told("/pet/bark", "type", "must be integer"));
    assert_eq!(found(json!({"kind": "cat"})), told("/pet", "required", "lacks the member \"lives\""));
    assert_eq!(found(json!({"kind": "fish"})), told("/pet", "oneOf", "fits none of the alternatives"));
}

#[test]
fn a_costly_pattern_is_not_compiled() {
    let costly = library(&[json!({"x-line": 3, "pattern": "^(\\w{1,500}){1,100}$"})]);
    let broken = costly.schema(0, None).unwrap_err();
    assert_eq!(broken.source, "api.yaml:3");
    let good = ["^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", "^[A-Za-z0-9+/]*={0,2}$", "^(?!x)[a-z]{1,64}$"];
    for pattern in good {
        library(&[json!({"pattern": pattern})]).schema(0, None).unwrap();
    }
}

#[test]
fn a_pattern_that_does_not_end_refuses() {
    let schema = json!({"pattern": "^(\\w+\\s?)*\\1$"});
    assert!(!fits(&schema, &json!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")));
    assert!(!fits(&json!({"not": schema}), &json!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")));
}

#[test]
fn integers_have_their_width() {
    let int = |bits: u64| json!({"type": "integer", "x-int": bits});
    for (schema, value, good) in [
        (int(32), json!(2_147_483_647), true),
        (int(32), json!(2_147_483_648_i64), false),
        (int(32), json!(-2_147_483_648_i64), true),
        (int(32), json!(1.0), true),
        (int(64), json!(i64::MAX), true),
        (int(64), json!(9_223_372_036_854_775_808_u64), false),
        (int(64), json!(1e30), false),
        (int(64), json!(9.1e18), true),
        (int(64), json!(9_223_372_036_854_775_808.0), false),
        (json!({"x-int": 32}), json!("text"), true),
        (json!({"format": "byte"}), json!("YWI="), true),
        (json!({"format": "byte"}), json!("YWI"), false),
        (json!({"format": "email"}), json!("a@b.example"), true),
        (json!({"format": "email"}), json!("Jane <a@b.example>"), false),
    ] {
        assert_eq!(fits(&schema, &value), good, "{schema} {value}");
    }
}

#[test]
fn what_belongs_to_the_other_way_is_refused_only_when_it_is_asked_for() {
    let library = library(&[json!({"properties": {"id": {"readOnly": true}, "password": {"writeOnly": true}}})]);
    let limits = Limits::default();
    let (id, password) = (json!({"id": 1}), json!({"password": 1}));
    for (direction, value, good) in [
        (None, &id, true),
        (None, &password, true),
        (Some(Direction::Request), &id, false),
        (Some(Direction::Request), &password, true),
        (Some(Direction::Answer), &id, true),
        (Some(Direction::Answer), &password, false),
    ] {
        let tree = Tree::of(value, &limits).unwrap();
        assert_eq!(library.schema(0, direction).unwrap().is_valid(&tree), good, "{direction:?} {value}");
    }
}

#[test]
fn a_large_body_with_many_faults_is_explained_by_the_first() {
    let library = library(&[json!({"items": {"type": "integer"}})]);
    let text = format!("[{}\"x\"]", "\"x\",".repeat(50_000));
    let limits = Limits::default();
    let tree = parse(text.as_bytes(), &limits).unwrap();
    let found = library.schema(0, None).unwrap().findings(&tree, Part::Body);
    assert_eq!((found.len(), found[0].pointer.as_str()), (1, "/0"));
}

#[test]
fn the_types_of_a_text_are_found_through_references_and_alternatives() {
    let library = library(&[
        json!({"$ref": reference(1)}),
        json!({"allOf": [{"type": ["integer", "string"]}, {"enum": [1, 2]}]}),
        json!({"oneOf": [{"type": "integer"}, {"type": "boolean"}], "properties": {"a": {"type": "array", "items": {"type": "number"}}}}),
    ]);
    let types = |number| Shape::of(&library, Some(number)).types();
    assert!(types(0).has(Types::INTEGER) && !types(0).has(Types::STRING));
    assert!(types(2).has(Types::BOOLEAN) && !types(2).has(Types::STRING));
    let items = Shape::of(&library, Some(2)).member("a").items().types();
    assert!(items.has(Types::NUMBER) && items.has(Types::INTEGER) && !items.has(Types::BOOLEAN));
    assert_eq!(Shape::of(&library, None).types(), Types::ANY);
}

/// Each schema has ten ways to the next: ten to the power of sixteen to the last.
#[test]
fn a_schema_that_is_reached_by_many_ways_is_looked_at_once() {
    let ways = |number: u32| json!({"anyOf": vec![json!({"$ref": reference(number + 1)}); 10], "allOf": [{"$ref": reference(number)}]});
    let mut schemas: Vec<Value> = (0..16).map(ways).collect();
    schemas.push(json!({"type": "object", "properties": {"a": {"type": "integer"}}}));
    let library = library(&schemas);
    let shape = Shape::of(&library, Some(0));
    assert_eq!((shape.types(), shape.names(), shape.member("a").is_known()), (Types::OBJECT, vec!["a"], true));
    assert!(!shape.member("b").is_known() && shape.keyword("minLength").is_none());
}

/// How long the findings take, at best, of what does not fit.
fn explained(schemas: &[Value], text: &str) -> (Vec<crate::finding::Finding>, Duration) {
    let (library, limits) = (library(schemas), Limits::default());
    let tree = parse(text.as_bytes(), &limits).unwrap();
    let schema = library.schema(0, None).unwrap();
    assert!(!schema.is_valid(&tree));
    let found = schema.findings(&tree, Part::Body);
    let best = (0..5).map(|_| {
        let begun = Instant::now();
        schema.findings(&tree, Part::Body);
        begun.elapsed()
    });
    (found, best.min().unwrap())
}

fn without_unevaluated(mut schema: Value) -> Value {
    schema.as_object_mut().unwrap().remove("unevaluatedProperties");
    schema
}

/// Two ways from each value to what is in it: a search that remembers nothing goes a billion ways.
#[test]
fn what_is_reached_by_many_ways_is_explained_once() {
    let list = json!({"children": {"type": "array", "items": {"$ref": reference(0)}}});
    let base = json!({"required": ["op"], "properties": list.clone(), "x-line": 4});
    let both = json!({"allOf": [{"$ref": reference(1)}, {"properties": list}], "unevaluatedProperties": true});
    let patterns = json!({"patternProperties": {"^c": {"items": {"$ref": reference(0)}}, "n$": {"items": {"$ref": reference(0)}}}, "properties": {"op": {"type": "string"}}});
    let depends = json!({"dependentSchemas": {"op": {"properties": {"children": {"items": {"$ref": reference(0)}}}}}, "properties": {"children": {"items": {"$ref": reference(0)}}, "op": {"type": "string"}}});
    let nest = |leaf: &str| format!("{}{leaf}{}", "{\"op\":\"b\",\"children\":[".repeat(30), "]}".repeat(30));
    for (schemas, leaf, rule) in
        [(vec![both, base], "{}", "required"), (vec![patterns], "{\"op\":1}", "type"), (vec![depends], "{\"op\":1}", "type")]
    {
        // Among many others they are cut to decide as well.
        let others = (schemas.len() as u32..80).map(|number| json!({"items": {"$ref": reference(number)}}));
        let among: Vec<Value> = schemas.iter().cloned().map(without_unevaluated).chain(others).collect();
        for (schemas, values) in [(&schemas, 1), (&schemas, 2_500), (&among, 1), (&among, 2_500)] {
            let text = format!("{{\"op\":\"b\",\"children\":[{}{}]}}", "{\"op\":\"x\"},".repeat(values), nest(leaf));
            let good = format!("{{\"op\":\"b\",\"children\":[{}{{\"op\":\"x\"}}]}}", "{\"op\":\"x\"},".repeat(values));
            let limits = Limits::default();
            assert!(library(schemas).schema(0, None).unwrap().is_valid(&parse(good.as_bytes(), &limits).unwrap()));
            let (found, time) = explained(schemas, &text);
            let innermost = |finding: &crate::finding::Finding| finding.rule == rule && finding.pointer.split('/').count() > 60;
            assert!(found.iter().any(innermost) && found.len() <= 4, "{found:?}");
            assert!(time < Duration::from_secs(2), "{time:?}");
        }
    }
}

/// Each of four hundred leads to all others: compiled whole for each, they take gigabytes.
#[test]
fn schemas_that_all_lead_to_each_other_are_compiled_without_one_copy_of_all_for_each() {
    let many = 400_u32;
    let members =
        |number: u32| (0..8).map(move |way: u32| (format!("p{way}"), json!({"$ref": reference((number * 7 + way * way + 1) % many)})));
    let schemas: Vec<Value> =
        (0..many).map(|number| json!({"type": "object", "properties": members(number).collect::<serde_json::Map<_, _>>()})).collect();
    let begun = Instant::now();
    let library = library(&schemas);
    assert_eq!(library.broken_ones(), []);
    let all: Vec<_> = (0..many).map(|number| library.schema(number, None).unwrap()).collect();
    let (schema, limits) = (&all[0], Limits::default());
    for way in 0..8 {
        let good = format!("{}{{}}{}", format!("{{\"p{way}\":").repeat(40), "}".repeat(40));
        assert!(schema.is_valid(&parse(good.as_bytes(), &limits).unwrap()));
        let text = format!("{}1{}", format!("{{\"p{way}\":").repeat(40), "}".repeat(40));
        let tree = parse(text.as_bytes(), &limits).unwrap();
        assert!(!schema.is_valid(&tree));
        assert_eq!(schema.findings(&tree, Part::Body)[0].rule, "type");
    }
    // Two seconds for each hundred, were they compiled whole.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn a_value_is_not_copied_for_each_finding() {
    let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
    let text = |length: usize| format!("{{\"x\":[{}1]}}", format!("\"{}\",", "y".repeat(length)).repeat(1900));
    let required = [json!({ "required": names })];
    let (all, _) = explained(&required, &text(30));
    let (first, time) = explained(&required, &text(450));
    assert_eq!((all.len(), first.len()), (crate::finding::MOST, 1));
    // A hundred copies take more than a second.
    assert!(time < Duration::from_millis(200), "{time:?}");
}

#[test]
fn a_name_that_is_a_number_is_not_repeated() {
    let items = json!({"additionalProperties": {"type": "array", "items": {"type": "integer"}}});
    let (found, _) = explained(&[items], "{\"4711\":[1,\"x\"]}");
    assert_eq!(found[0].pointer, "/*/1");
}

#[test]
fn a_library_that_nobody_has_is_gone() {
    let library = library(&[json!({"properties": {"a": {"$ref": reference(0)}}, "oneOf": [{"type": "object"}, {"type": "array"}]})]);
    let schema = library.schema(0, None).unwrap();
    let limits = Limits::default();
    assert_eq!(schema.findings(&Tree::of(&json!({"a": 1}), &limits).unwrap(), Part::Body).len(), 1);
    let left = library.downgraded();
    drop((library, schema));
    assert!(left.upgrade().is_none());
}

/// As deep as the settings allow, on the stack that a worker of the gateway has.
#[test]
fn the_deepest_value_takes_less_than_the_stack_of_a_worker() {
    let list = json!({"a": {"type": "array", "items": {"$ref": reference(0)}}});
    let base = json!({"allOf": [{"anyOf": [{"properties": list.clone()}, {"not": {"properties": list.clone()}}]}]});
    let schemas = [json!({"allOf": [{"$ref": reference(1)}, {"properties": list}], "if": {"required": ["b"]}, "then": false}), base];
    let judged = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let limits = Limits { depth: DEEPEST, ..Limits::default() };
        let levels = DEEPEST / 2 - 1;
        let text = format!("{}{{\"b\":1}}{}", "{\"a\":[".repeat(levels), "]}".repeat(levels));
        let tree = parse(text.as_bytes(), &limits).unwrap();
        let schema = library(&schemas).schema(0, None).unwrap();
        (schema.is_valid(&tree), schema.findings(&tree, Part::Body).len())
    });
    assert_eq!(judged.unwrap().join().unwrap(), (false, 1));
}
