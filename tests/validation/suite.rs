//! The decisions of JSON Schema's own test suite, as bodies of requests.
//!
//! Two forms: documents that somebody else made of it, and the suite's files themselves, of which whole drafts are turned into
//! documents here. Bodies are sent as they are spelled there.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, value::RawValue};
use tollgate_tests::shared_cases;

use super::world::{Asked, World, try_build};

type Object = BTreeMap<String, Box<RawValue>>;

fn text(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap()
}

fn ready_cases(folder: &Path, name: &str) -> Vec<(Asked, bool)> {
    let lines = fs::read_to_string(folder.join(format!("{name}.cases.jsonl"))).unwrap();
    lines
        .lines()
        .map(|line| {
            let case: Object = serde_json::from_str(line).unwrap();
            let id = format!("{} ({}: {})", text(&case["id"]), text(&case["group"]), text(&case["test"]));
            (Asked::json(id, &text(&case["path"]), case["body"].get()), text(&case["expect"]) == "accept")
        })
        .collect()
}

/// At most one in 200 may be decided in another way, and none of them unseen.
fn hold(what: &str, cases: usize, wrong: &[String], broken: &[String]) {
    println!("{what}: {cases} cases, {} decided differently", wrong.len());
    wrong.iter().for_each(|one| println!("  {one}"));
    assert!(broken.is_empty(), "{broken:?}");
    assert!(wrong.len() * 200 <= cases, "{} of {cases} were decided differently:\n{}", wrong.len(), wrong.join("\n"));
}

fn ready(name: &str, at_least: usize) {
    let Some(folder) = shared_cases("01-jsonschema") else { return };
    let cases = ready_cases(&folder, name);
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    let world = World::serving_text(&fs::read_to_string(folder.join(format!("{name}.openapi.json"))).unwrap());
    let wrong = world.differences(&cases);
    hold(name, cases.len(), &wrong, &world.upstream.broken());
}

#[test]
fn the_suites_cases_are_decided_right_in_openapi_3_0() {
    ready("oas30", 100);
}

#[test]
fn the_suites_cases_are_decided_right_in_openapi_3_1() {
    ready("oas31", 300);
}

/// What OpenAPI 3.0 has of draft 4.
const KEYWORDS_3_0: [&str; 25] = [
    "title",
    "description",
    "default",
    "format",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "enum",
    "type",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "items",
];

/// Whether OpenAPI 3.0 can say it.
fn is_3_0(schema: &Value) -> bool {
    let Some(schema) = schema.as_object() else { return false };
    schema.iter().all(|(keyword, value)| match keyword.as_str() {
        "items" | "not" => is_3_0(value),
        "additionalProperties" => value.is_boolean() || is_3_0(value),
        "properties" => value.as_object().is_some_and(|all| all.values().all(is_3_0)),
        "allOf" | "anyOf" | "oneOf" => value.as_array().is_some_and(|all| all.iter().all(is_3_0)),
        "type" => value.as_str().is_some_and(|name| name != "null"),
        other => KEYWORDS_3_0.contains(&other),
    })
}

/// What makes a group's schema need more than one document.
const ELSEWHERE: [&str; 9] =
    ["$id", "id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$schema", "$vocabulary"];

/// The draft of OpenAPI 3.1.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Whether a schema can be moved into a document: its references stay inside it.
fn stays(schema: &Value) -> bool {
    match schema {
        Value::Object(all) => all.iter().all(|(name, value)| match name.as_str() {
            "enum" | "const" => true,
            "$ref" => value.as_str().is_none_or(|target| target.starts_with('#') && (target.len() == 1 || target.starts_with("#/"))),
            "$schema" if value == DRAFT => true,
            name => !(ELSEWHERE.contains(&name) && value.is_string()) && stays(value),
        }),
        Value::Array(all) => all.iter().all(stays),
        _ => true,
    }
}

/// The same schema where it stands in a document.
fn moved(schema: &RawValue, component: &str) -> String {
    let text = schema.get().replace(&format!("\"$schema\": \"{DRAFT}\","), "").replace(&format!("\"$schema\": \"{DRAFT}\""), "");
    if !text.contains("$ref") {
        return text;
    }
    let mut value: Value = serde_json::from_str(&text).unwrap();
    point(&mut value, component);
    value.to_string()
}

fn point(value: &mut Value, component: &str) {
    match value {
        Value::Object(all) => {
            for (name, value) in all.iter_mut().filter(|(name, _)| !matches!(name.as_str(), "enum" | "const")) {
                match value.as_str().and_then(|target| target.strip_prefix('#')) {
                    Some(rest) if name == "$ref" => *value = format!("#/components/schemas/{component}{rest}").into(),
                    _ => point(value, component),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| point(value, component)),
        _ => {}
    }
}

/// What is decided in another way on purpose.
const OTHERWISE: [(&str, &str); 2] = [
    ("zeroTerminatedFloats.json", "1.0 is an integer in every version, as 3.1 says: most clients cannot tell it from 1"),
    ("idn-email.json", "a format that OpenAPI does not register says nothing"),
];

struct Group {
    schema: String,
    cases: Vec<(Asked, bool)>,
}

/// The groups of a file that OpenAPI can say, and how many it cannot.
fn groups(file: &Path, draft4: bool, number: &mut usize, left: &mut usize) -> Vec<Group> {
    let all: Vec<Object> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut groups = Vec::new();
    for group in all {
        let schema: Value = serde_json::from_str(group["schema"].get()).unwrap();
        let about = format!("{}: {}", file.file_name().unwrap().to_string_lossy(), text(&group["description"]));
        if let Some((_, why)) = OTHERWISE.iter().find(|(name, _)| about.starts_with(name)) {
            println!("{about} is left out: {why}");
            *left += 1;
            continue;
        }
        let can = if draft4 { is_3_0(&schema) } else { stays(&schema) };
        let tests: Vec<Object> = serde_json::from_str(group["tests"].get()).unwrap();
        if !can {
            *left += 1;
            continue;
        }
        *number += 1;
        let cases = tests.iter().filter(|test| !draft4 || !has_null(test["data"].get())).map(|test| {
            let id = format!("{about}: {}", text(&test["description"]));
            (Asked::json(id, &format!("/g{number}"), test["data"].get()), test["valid"].get() == "true")
        });
        let cases = cases.collect();
        groups.push(Group { schema: moved(&group["schema"], &format!("g{number}")), cases });
    }
    groups
}

fn has_null(text: &str) -> bool {
    fn look(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Array(all) => all.iter().any(look),
            Value::Object(all) => all.values().any(look),
            _ => false,
        }
    }
    look(&serde_json::from_str(text).unwrap())
}

fn document<'a>(version: &str, groups: impl IntoIterator<Item = &'a Group>) -> String {
    let (mut paths, mut schemas) = (Vec::new(), Vec::new());
    for group in groups {
        let Some((asked, _)) = group.cases.first() else { continue };
        let name = asked.target.trim_start_matches('/');
        paths.push(format!(
            r##""/{name}":{{"post":{{"requestBody":{{"required":true,"content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/{name}"}}}}}}}},"responses":{{"200":{{"description":"ok"}}}}}}}}"##
        ));
        schemas.push(format!(r#""{name}":{}"#, group.schema));
    }
    format!(
        r#"{{"openapi":"{version}","info":{{"title":"suite","version":"1"}},"paths":{{{}}},"components":{{"schemas":{{{}}}}}}}"#,
        paths.join(","),
        schemas.join(",")
    )
}

/// Without the groups that do not build alone, which come back as differences.
fn that_build(version: &str, groups: Vec<Group>, wrong: &mut Vec<String>) -> Vec<Group> {
    if try_build(&document(version, &groups)).code == 0 {
        return groups;
    }
    let alone = |group: &Group| try_build(&document(version, [group]));
    groups
        .into_iter()
        .filter(|group| {
            let ran = alone(group);
            if ran.code != 0 {
                wrong.extend(group.cases.iter().map(|(asked, _)| format!("{}: does not build: {}", asked.id, ran.stderr)));
            }
            ran.code == 0
        })
        .collect()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    all.sort();
    all
}

fn whole(draft: &str, version: &str, folders: &[&str]) {
    let (mut number, mut left) = (0, 0);
    let mut all = Vec::new();
    for folder in folders {
        let Some(folder) = shared_cases(&format!("01-jsonschema/suite/{draft}{folder}")) else { return };
        for file in files(&folder) {
            all.extend(groups(&file, draft == "draft4", &mut number, &mut left));
        }
    }
    let cases: usize = all.iter().map(|group| group.cases.len()).sum();
    assert!(cases > 0, "no case is left");
    let mut wrong = Vec::new();
    let all = that_build(version, all, &mut wrong);
    let world = World::serving_text(&document(version, &all));
    let asked: Vec<_> = all.into_iter().flat_map(|group| group.cases).collect();
    wrong.extend(world.differences(&asked));
    println!("{left} groups need more than one document, or what OpenAPI {version} does not have");
    hold(&format!("{draft}{folders:?}"), cases, &wrong, &world.upstream.broken());
}

#[test]
fn whole_files_of_the_suite_are_decided_right_in_openapi_3_0() {
    whole("draft4", "3.0.3", &["", "/optional"]);
}

#[test]
fn whole_files_of_the_suite_are_decided_right_in_openapi_3_1() {
    whole("draft2020-12", "3.1.0", &["", "/optional"]);
}

#[test]
fn formats_of_the_suite_are_decided_right_in_openapi_3_0() {
    whole("draft4", "3.0.3", &["/optional/format"]);
}

#[test]
fn formats_of_the_suite_are_decided_right_in_openapi_3_1() {
    whole("draft2020-12", "3.1.0", &["/optional/format"]);
}
