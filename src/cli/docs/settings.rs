//! The page of gateway.yaml: every setting with type, default and sentence, out of its JSON Schema.

use std::fmt::Write;

use serde_json::Value;

use super::GENERATED;

/// The whole page. `chain` is left to the filters' own pages.
pub(super) fn page(schema: &Value) -> String {
    let root = resolve(schema, schema);
    let mut page = format!("# gateway.yaml\n\n{GENERATED}\n\n{}\n\n", text(root));
    page.push_str("Unknown keys are refused. Times are written as `500ms`, `30s`, `5m`, `1h`, `1d`, sizes as `512B`, `64KiB`, `10MiB`. ");
    page.push_str("Secrets are given by reference: `${env:NAME}` or `${file:/path}`. Relative paths begin at the file's folder. ");
    page.push_str("The filters that may stand under `chain` have pages of their own in `filters/`; ");
    page.push_str("`gateway.schema.json` describes the whole file to editors.\n\n");
    page.push_str("| setting | type | default | what it does |\n|---|---|---|---|\n");
    rows(schema, root, "", &mut page);
    page
}

/// One row for each property, then those of the objects in it.
fn rows(schema: &Value, object: &Value, prefix: &str, page: &mut String) {
    let Some(properties) = object["properties"].as_object() else { return };
    let required = object["required"].as_array();
    for (name, property) in properties {
        let needed = required.is_some_and(|names| names.iter().any(|required| required == name));
        let path = format!("{prefix}{name}");
        let inner = nested(schema, property);
        let node = resolve(schema, property);
        let what = if text(property).is_empty() { text(node) } else { text(property) };
        let what = format!("{what}{}", meanings(node));
        let default = match &property["default"] {
            _ if needed => "required".to_owned(),
            Value::Null | Value::Object(_) => "–".to_owned(),
            Value::String(value) => format!("`{value}`"),
            Value::Array(list) if list.is_empty() => "none".to_owned(),
            other => format!("`{other}`"),
        };
        let kind = if path == "chain" { "list of filters".to_owned() } else { kind(schema, property) };
        let _ = writeln!(page, "| `{path}` | {kind} | {default} | {} |", what.replace('\n', " ").replace('|', "\\|"));
        if let Some((inner, suffix)) = inner.filter(|_| name != "chain") {
            rows(schema, inner, &format!("{path}{suffix}."), page);
        }
    }
}

fn text(node: &Value) -> &str {
    node["description"].as_str().unwrap_or_default()
}

/// Follows a reference, and takes the part of an optional value that is not `null`.
fn resolve<'a>(schema: &'a Value, node: &'a Value) -> &'a Value {
    if let Some(target) = node["$ref"].as_str().and_then(|reference| schema.pointer(reference.trim_start_matches('#'))) {
        return resolve(schema, target);
    }
    match node["anyOf"].as_array().and_then(|parts| parts.iter().find(|part| part["type"] != "null")) {
        Some(part) => resolve(schema, part),
        None => node,
    }
}

/// The object whose settings belong below this one, and what stands between the names.
fn nested<'a>(schema: &'a Value, property: &'a Value) -> Option<(&'a Value, &'static str)> {
    let node = resolve(schema, property);
    let (inner, suffix) = match (&node["items"], &node["additionalProperties"]) {
        (items @ Value::Object(_), _) => (resolve(schema, items), "[]"),
        (_, values @ Value::Object(_)) => (resolve(schema, values), ".NAME"),
        _ => (node, ""),
    };
    inner["properties"].is_object().then_some((inner, suffix))
}

fn kind(schema: &Value, property: &Value) -> String {
    let node = resolve(schema, property);
    let choices = choices(node);
    if !choices.is_empty() {
        return choices.join(", ");
    }
    if node["pattern"].as_str().is_some_and(|pattern| pattern.contains("(ms|")) {
        return "time".to_owned();
    }
    if node["pattern"].as_str().is_some_and(|pattern| pattern.contains("(B|")) {
        return "size".to_owned();
    }
    let name = match &node["type"] {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or("any").to_owned(),
        _ => "any".to_owned(),
    };
    match name.as_str() {
        "array" => format!("list of {}", plural(&kind(schema, &node["items"]))),
        "object" => "map".to_owned(),
        _ => name,
    }
}

fn plural(kind: &str) -> String {
    if kind == "any" { "anything".to_owned() } else { format!("{kind}s") }
}

/// What each choice means, where the code says so.
fn meanings(node: &Value) -> String {
    let meaning = |choice: &Value| Some(format!(" `{}`: {}", choice["const"].as_str()?, choice["description"].as_str()?));
    node["oneOf"].as_array().map(|choices| choices.iter().filter_map(meaning).collect()).unwrap_or_default()
}

fn choices(node: &Value) -> Vec<String> {
    let quoted = |value: &Value| value.as_str().map(|value| format!("`{value}`"));
    if let Some(list) = node["enum"].as_array() {
        return list.iter().filter_map(quoted).collect();
    }
    node["oneOf"].as_array().map(|list| list.iter().filter_map(|part| quoted(&part["const"])).collect()).unwrap_or_default()
}
