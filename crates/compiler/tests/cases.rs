//! Runs `cases/*.yaml`: a project in memory, and what compiling it says.
//!
//! `files` are the project's files; `modules` are more of them, WebAssembly as text. `enforceable` makes it a build; without it the
//! documents are judged alone.
//! `problems` are all of them, as `file:line severity code pointer`. `plan` maps JSON Pointers into the Plan to values;
//! `null` means that nothing stands there. `hints` and `messages` are texts that some hint, or message, contains.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use tollgate_compiler::{Options, Project, compile};
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{Problem, Severity};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    files: BTreeMap<String, String>,
    #[serde(default)]
    modules: BTreeMap<String, String>,
    enforceable: Option<Vec<String>>,
    /// Of those, the ones that answer by themselves.
    #[serde(default)]
    answers: Vec<String>,
    #[serde(default)]
    waive: Vec<String>,
    #[serde(default)]
    waive_to_open: Vec<String>,
    endpoint: Option<String>,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    hints: Vec<String>,
    #[serde(default)]
    messages: Vec<String>,
    #[serde(default)]
    plan: BTreeMap<String, Value>,
}

/// The filter IDs that cases may call enforceable.
const FILTERS: [&str; 8] = ["jwt", "cors", "basic_auth", "api_key", "mtls", "throttle", "respond", "wasm"];

fn line(problem: &Problem) -> String {
    let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
    format!("{}:{} {severity} {} {}", problem.file, problem.line, problem.code, problem.pointer).trim_end().to_owned()
}

fn run(case: &Case) -> Vec<String> {
    let files: BTreeMap<String, Vec<u8>> = case.files.iter().map(|(n, t)| (n.clone(), t.clone().into_bytes())).collect();
    let module = |(name, text): (&String, &String)| (name.clone(), wat::parse_str(text).expect("a module can be read"));
    let files: BTreeMap<String, Vec<u8>> = files.into_iter().chain(case.modules.iter().map(module)).collect();
    let there = |name: &str| case.files.contains_key(name).then(|| name.to_owned());
    let listed = |name: &&String| ["api_definitions/", "grpc_definitions/"].iter().any(|folder| name.starts_with(folder));
    let project = Project {
        name: "case".to_owned(),
        definitions: case.files.keys().filter(listed).cloned().collect(),
        policies: there("policies.yaml"),
        settings: there("tollgate.yaml"),
        interceptors: Some("interceptors".to_owned()),
        files: Box::new(files),
    };
    let enforceable = case.enforceable.as_ref();
    let options = Options {
        enforceable: enforceable.map(|ids| FILTERS.into_iter().filter(|f| ids.iter().any(|id| id == f)).collect()),
        answers: FILTERS.into_iter().filter(|f| case.answers.iter().any(|id| id == f)).collect(),
        waive: case.waive.clone(),
        waive_to_open: case.waive_to_open.clone(),
        endpoint: case.endpoint.clone(),
        limits: Limits::default(),
    };
    let outcome = compile(&project, &options);
    let mut wrong = Vec::new();
    let found: Vec<String> = outcome.problems.0.iter().map(line).collect();
    if found != case.problems {
        wrong.push(format!("problems: expected {:#?}\nfound {found:#?}\n{}", case.problems, outcome.problems));
    }
    for hint in &case.hints {
        if !outcome.problems.0.iter().any(|p| p.hint.contains(hint)) {
            wrong.push(format!("no hint says `{hint}`:\n{}", outcome.problems));
        }
    }
    for message in &case.messages {
        if !outcome.problems.0.iter().any(|p| p.message.contains(message)) {
            wrong.push(format!("no message says `{message}`:\n{}", outcome.problems));
        }
    }
    if outcome.plan.is_some() == outcome.problems.has_errors() {
        wrong.push("there must be a Plan exactly when there is no error".to_owned());
    }
    let plan = serde_json::to_value(&outcome.plan).expect("a Plan serialises");
    for (pointer, expected) in &case.plan {
        let found = plan.pointer(pointer).unwrap_or(&Value::Null);
        if found != expected {
            wrong.push(format!("plan at {pointer}: expected {expected}, found {found}"));
        }
    }
    wrong
}

#[test]
fn every_case_says_what_it_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in folder.read_dir().expect("the cases are there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read(entry.path()).expect("the case can be read");
        let document = Document::parse(&name, &text, &Limits::default()).unwrap_or_else(|p| panic!("{p}"));
        let case: Case = document.decode("").unwrap_or_else(|p| panic!("{p}"));
        wrong.extend(run(&case).into_iter().map(|w| format!("{name}: {w}")));
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count >= 20, "only {count} cases were found");
}
