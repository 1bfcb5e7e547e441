//! Python's `jsonschema`: a validator that shares no code with the gateway's.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What it says of a body, and the body compressed.
#[derive(Debug)]
pub struct Judged {
    /// `None` when it cannot say.
    pub valid: Option<bool>,
    /// In gzip.
    pub gzip: Vec<u8>,
    /// In gzip, as two members.
    pub twice: Vec<u8>,
}

/// Judges texts by the components of those names, in JSON Schema 2020-12.
///
/// # Panics
/// When `tests/install` was not run.
pub fn judge(components: &Value, cases: &[(String, String)]) -> Vec<Judged> {
    let cases: Vec<Value> = cases.iter().map(|(component, body)| json!({ "component": component, "body": body })).collect();
    let question = json!({ "components": components, "cases": cases }).to_string();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join(".cache/jsonschema/bin/python");
    assert!(python.is_file(), "{} is missing; run tests/install", python.display());
    let script = tests.join("harness/parts/jsonschema/judge.py");
    let mut child = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(question.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    answers
        .iter()
        .map(|answer| Judged { valid: answer["valid"].as_bool(), gzip: bytes(&answer["gzip"]), twice: bytes(&answer["twice"]) })
        .collect()
}
