//! An OpenAPI Overlay (1.0.0) that brings a definition up to what was seen.
//!
//! It adds statuses and takes nothing away. What was never seen is listed under `x-never-seen`, which tools pass over.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Coverage, Operation};

/// The definitions that lack a status which was seen.
pub fn documents(coverage: &Coverage) -> BTreeSet<&str> {
    coverage.operations.iter().filter(|operation| !operation.undeclared.is_empty()).map(|operation| operation.document.as_str()).collect()
}

/// The overlay of one definition; `None` when it lacks nothing, for an overlay has one action at least.
pub fn overlay(coverage: &Coverage, document: &str) -> Option<Value> {
    let operations = || coverage.operations.iter().filter(|operation| operation.document == document);
    let actions: Vec<Value> = operations().filter(|operation| !operation.undeclared.is_empty()).map(action).collect();
    if actions.is_empty() {
        return None;
    }
    let unseen: Vec<Value> = operations().filter_map(never_seen).collect();
    let title = format!("What was seen and {document} does not declare");
    let mut overlay = json!({ "overlay": "1.0.0", "info": { "title": title, "version": coverage.since }, "actions": actions });
    if !unseen.is_empty() {
        overlay["x-never-seen"] = json!(unseen);
    }
    Some(overlay)
}

fn action(operation: &Operation) -> Value {
    let statuses = operation.undeclared.iter().map(|(status, count)| {
        let seen = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        (status.to_string(), json!({ "description": format!("Answered by the upstream {seen}; not described yet.") }))
    });
    let responses = Value::Object(statuses.collect::<Map<_, _>>());
    let target = json_path(&operation.pointer);
    let description = format!("{} {} ({})", operation.method, operation.path, operation.source);
    match operation.answers.is_empty() {
        // An update of a target that is not there would do nothing.
        true => json!({ "target": target, "description": description, "update": { "responses": responses } }),
        false => json!({ "target": format!("{target}.responses"), "description": description, "update": responses }),
    }
}

/// What is declared of an operation and was not seen; nothing when nobody could have seen it.
fn never_seen(operation: &Operation) -> Option<Value> {
    let mut unseen = Map::new();
    let (answers, parameters, bodies) = (operation.answers_never_seen(), operation.parameters_never_used(), operation.bodies_never_used());
    if operation.requests == 0 {
        unseen.insert("operation".to_owned(), json!(true));
    } else {
        for (name, list) in [("parameters", parameters), ("bodies", bodies), ("answers", answers)] {
            if !list.is_empty() {
                unseen.insert(name.to_owned(), json!(list));
            }
        }
    }
    if unseen.is_empty() {
        return None;
    }
    unseen.insert("target".to_owned(), json!(json_path(&operation.pointer)));
    Some(Value::Object(unseen))
}

impl Operation {
    /// Declared parameters that no request had which was judged, as `in name`; none when no request was.
    pub fn parameters_never_used(&self) -> Vec<String> {
        let unused = self.parameters.iter().filter(|parameter| parameter.requests == 0);
        self.if_judged(unused.map(|parameter| format!("{} {}", parameter.place, parameter.name)).collect())
    }

    /// Declared media types of request bodies that no request had which was judged.
    pub fn bodies_never_used(&self) -> Vec<String> {
        self.if_judged(self.bodies.iter().filter(|body| body.requests == 0).map(|body| body.media_type.clone()).collect())
    }

    /// Declared answers that the upstream never gave.
    pub fn answers_never_seen(&self) -> Vec<String> {
        self.answers.iter().filter(|answer| answer.answers == 0).map(|answer| answer.status.clone()).collect()
    }

    fn if_judged(&self, list: Vec<String>) -> Vec<String> {
        if self.judged.is_some_and(|judged| judged > 0) { list } else { Vec::new() }
    }
}

/// A JSON Pointer as a JSONPath (RFC 9535): names that may be are written after a dot.
fn json_path(pointer: &str) -> String {
    let mut path = "$".to_owned();
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.starts_with(|first: char| !first.is_ascii_digit());
        if is_plain {
            path.push('.');
            path.push_str(&name);
        } else {
            path.push_str(&format!("['{}']", quoted(&name)));
        }
    }
    path
}

/// RFC 9535 §2.3.1: what may not stand in single quotes as it is.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '\'' | '\\' => quoted.extend(['\\', character]),
            character if u32::from(character) < 0x20 => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => quoted.push(character),
        }
    }
    quoted
}
