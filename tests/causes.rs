//! That every refusal names what decides it, held against the source and the manual.
//!
//! The types let no refusal be made without a cause. What they cannot see: a reason that nobody refuses for, and a cause that names a
//! setting which there is not.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The code below a folder, tests left out, without blanks: an expression may stand on several lines.
fn code(folder: &Path, text: &mut String) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "tests" | "target" | "cases") {
            code(&path, text);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let written = fs::read_to_string(&path).unwrap();
            let shipped = written.split("#[cfg(test)]\nmod tests {").next().unwrap();
            text.extend(shipped.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(str::split_whitespace));
        }
    }
}

fn code_of(folder: impl AsRef<Path>) -> String {
    let mut text = String::new();
    code(&root().join(folder), &mut text);
    text
}

/// The first argument of each call of these, when it is a text.
fn arguments<'c>(code: &'c str, call: &str) -> Vec<&'c str> {
    code.split(&format!("{call}(\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_gateway_refuses_for_each_of_its_reasons_and_always_with_a_cause() {
    let code = code_of("src");
    let listed = fs::read_to_string(root().join("src/chain/reasons.rs")).unwrap();
    let names: Vec<&str> = listed.lines().filter_map(|line| line.trim().split_once(" = refused(")).map(|(name, _)| name).collect();
    assert!(names.len() > 30, "only {} reasons were found", names.len());
    // With a cause at once, or by one of the three that take both.
    let refuses = |name: &str| {
        let beside = ["over", "failed"].iter().any(|call| code.contains(&format!("{call}(&reasons::{name},")));
        code.contains(&format!("::{name}.because(")) || beside
    };
    let idle: Vec<&&str> = names.iter().filter(|name| !refuses(name)).collect();
    assert!(idle.is_empty(), "nobody refuses for {idle:?}");
}

#[test]
fn a_cause_names_no_setting_of_the_gateway_that_there_is_not() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(root().join("docs/reference/gateway.schema.json")).unwrap()).unwrap();
    let code = code_of("src") + &code_of("filters") + &code_of("crates");
    let named = arguments(&code, "Rule::Gateway");
    assert!(named.len() > 20, "only {} were found", named.len());
    let wrong: Vec<&&str> = named.iter().filter(|pointer| !is_setting(&schema, pointer)).collect();
    assert!(wrong.is_empty(), "`gateway.yaml` has no {wrong:?}");
}

/// Whether the schema has a place for a pointer.
fn is_setting(schema: &Value, pointer: &str) -> bool {
    let found = pointer.split('/').skip(1).try_fold(vec![schema], |places, token| {
        let shapes = places.into_iter().flat_map(|place| shapes(schema, place));
        let below: Vec<&Value> = shapes.filter_map(|shape| shape["properties"].get(token)).collect();
        (!below.is_empty()).then_some(below)
    });
    pointer.starts_with('/') && found.is_some()
}

/// What a place may hold, behind references.
fn shapes<'s>(schema: &'s Value, place: &'s Value) -> Vec<&'s Value> {
    let referred = place["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#')));
    let several = ["anyOf", "oneOf"].iter().filter_map(|key| place[key].as_array()).flatten();
    let behind = referred.into_iter().chain(several).flat_map(|one| shapes(schema, one));
    std::iter::once(place).chain(behind).collect()
}

#[test]
fn a_filters_cause_names_no_setting_that_its_manual_page_does_not_list() {
    let bindings = code_of("crates/binding/src");
    let (mut read, mut wrong) = (0, Vec::new());
    for folder in fs::read_dir(root().join("filters")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("src").is_dir())
    {
        let id = folder.file_name().unwrap().to_string_lossy().into_owned();
        let page = fs::read_to_string(root().join(format!("docs/reference/filters/{id}.md"))).unwrap();
        let own = code_of(folder.join("src"));
        let shared = if own.contains("tollgate_binding") { bindings.as_str() } else { "" };
        for code in [own.as_str(), shared] {
            // Problems name settings in the same way.
            for pointer in arguments(code, "setting").into_iter().filter(|pointer| !pointer.is_empty()) {
                read += 1;
                let option = pointer.trim_start_matches('/').replace("/*", "[]").replace('/', ".");
                // The items of a list of text have no row of their own.
                let text = option.strip_suffix("[]").is_some_and(|list| page.contains(&format!("| `{list}` | list of text")));
                let is_listed = text || ["`", "."].iter().any(|end| page.contains(&format!("| `{option}{end}")));
                if !pointer.starts_with('/') || !is_listed {
                    wrong.push(format!("{id}: {pointer}"));
                }
            }
        }
    }
    assert!(read > 40, "only {read} were found");
    assert!(wrong.is_empty(), "{wrong:?}");
}
