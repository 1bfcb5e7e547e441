//! Builds each description, starts a gateway with it, and asks.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Project, Settings, Upstream, shared_cases};

use super::{
    parameters::{Parameter, write},
    schemas::Definition,
};
use crate::{
    corpus::definitions,
    validation::world::{Asked, World, open},
};

/// Broken requests of one operation.
const MOST: usize = 10;

/// An operation with a good request, and its broken ones by rule.
struct Tried {
    good: Asked,
    broken: Vec<(String, Asked)>,
}

#[derive(Default)]
struct Report {
    operations: usize,
    without: Vec<String>,
    refused: Vec<String>,
    broken: usize,
    passed: Vec<String>,
}

/// Method, path, path item and operation.
fn operations(root: &Value) -> Vec<(String, String, &Value, &Value)> {
    let mut all = Vec::new();
    for (path, item) in root["paths"].as_object().into_iter().flatten() {
        for method in ["get", "put", "post", "delete", "patch"] {
            if let Some(operation) = item.get(method) {
                all.push((method.to_uppercase(), path.clone(), item, operation));
            }
        }
    }
    all
}

/// The JSON that an operation takes: media type and schema.
fn body<'a>(definition: &'a Definition, method: &str, operation: &'a Value) -> Result<Option<(&'a str, &'a Value)>, String> {
    let body = definition.resolve(&operation["requestBody"]);
    // There 3.0 says that a body is ignored.
    if definition.old && matches!(method, "GET" | "DELETE") {
        return Ok(None);
    }
    let json = body["content"].as_object().into_iter().flatten().find(|(name, _)| name.contains("json"));
    match json {
        Some((name, media)) => Ok(Some((name, &media["schema"]))),
        None if body["required"] == true => Err("takes no JSON".to_owned()),
        None => Ok(None),
    }
}

/// `Ok(None)`: neither a body nor a parameter.
fn tried(definition: &Definition, method: &str, path: &str, item: &Value, operation: &Value) -> Result<Option<Tried>, String> {
    let parameters = definition.parameters(item, operation)?;
    let body = body(definition, method, operation)?;
    let text = match body {
        Some((_, schema)) => Some(definition.sample(schema).ok_or("no sample of the body")?),
        None => None,
    };
    if text.is_none() && parameters.is_empty() {
        return Ok(None);
    }
    let ask = |other: Option<(&str, Option<&str>)>, value: &Option<Value>| {
        let written = write(path, &parameters, other);
        let mut asked = Asked::new(format!("{method} {path}"), method, &written.target);
        asked.fields = written.fields;
        match (body, value) {
            (Some((name, _)), Some(value)) => asked.field(format!("Content-Type: {name}")).body(value.to_string()),
            // As clients say that nothing comes (RFC 9110 §8.6).
            _ if matches!(method, "PUT" | "POST" | "PATCH") => asked.field("Content-Length: 0"),
            _ => asked,
        }
    };
    let mut broken = Vec::new();
    for parameter in &parameters {
        broken.extend(broken_parameter(definition, parameter).into_iter().map(|(rule, name, other)| {
            let asked = ask(Some((&name, other.as_deref())), &text);
            (rule, asked)
        }));
    }
    if let (Some((_, schema)), Some(good)) = (body, &text) {
        broken.extend(definition.broken(schema, good).into_iter().map(|one| {
            let mut asked = ask(None, &Some(one.value));
            asked.id = format!("{} at {:?}", asked.id, one.pointer);
            (one.rule, asked)
        }));
    }
    Ok(Some(Tried { good: ask(None, &text), broken: varied(broken) }))
}

/// Rule, name of the parameter, and its other text; none when it is left out.
fn broken_parameter(definition: &Definition, parameter: &Parameter) -> Vec<(String, String, Option<String>)> {
    let name = format!("{} {}", parameter.place, parameter.name);
    let mut all = Vec::new();
    if parameter.required && parameter.place != "path" {
        all.push(("required".to_owned(), name.clone(), None));
    }
    all.extend(definition.broken_texts(parameter).into_iter().map(|(rule, text)| (rule, name.clone(), Some(text))));
    all
}

/// So many of them, of as many rules as there are.
fn varied(all: Vec<(String, Asked)>) -> Vec<(String, Asked)> {
    let mut by_rule: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    for (rule, asked) in all {
        by_rule.entry(rule).or_default().push(asked);
    }
    let mut chosen = Vec::new();
    for round in 0.. {
        let layer: Vec<_> = by_rule.iter().filter_map(|(rule, all)| Some((rule.clone(), all.get(round)?.clone()))).collect();
        if layer.is_empty() || chosen.len() >= MOST {
            break;
        }
        chosen.extend(layer);
    }
    chosen.truncate(MOST);
    chosen
}

/// Builds and starts it, and says what that cost.
fn serve(file: &Path, text: &str) -> Result<(World, String), String> {
    let upstream = Upstream::start();
    let project = Project::new().definition("api.json", open(text, &upstream.url()));
    let begun = Instant::now();
    let (ran, artifact) = project.try_build(&[]);
    let built = begun.elapsed();
    if ran.code != 0 {
        return Err(ran.stderr);
    }
    let size = fs::metadata(&artifact).unwrap().len();
    let begun = Instant::now();
    let gateway = Gateway::start(&artifact, Settings::of(json!({ "chain": ["validate"] })));
    let cost = format!(
        "{}: built in {} ms to {} KiB, ready after {} ms with {} MiB",
        file.file_name().unwrap().to_string_lossy(),
        built.as_millis(),
        size >> 10,
        begun.elapsed().as_millis(),
        gateway.memory()
    );
    Ok((World { upstream, gateway }, cost))
}

fn ask(world: &World, tried: &[Tried], report: &mut Report) {
    let all: Vec<Asked> =
        tried.iter().flat_map(|one| std::iter::once(&one.good).chain(one.broken.iter().map(|(_, asked)| asked))).cloned().collect();
    let mut verdicts = world.judge(&all).into_iter();
    for one in tried {
        let good = verdicts.next().unwrap();
        report.operations += 1;
        report.refused.extend(good.differs(&one.good, true));
        for (rule, asked) in &one.broken {
            let verdict = verdicts.next().unwrap();
            report.broken += 1;
            if let Some(said) = verdict.differs(asked, false) {
                report.passed.push(format!("{rule}: {said}"));
            } else if !verdict.rules().contains(rule) {
                report.passed.push(format!("{rule}: {}: refused by {:?} instead", asked.id, verdict.rules()));
            }
        }
    }
}

fn describe(definition: &Definition, report: &mut Report) -> Vec<Tried> {
    let mut all = Vec::new();
    for (method, path, item, operation) in operations(&definition.root) {
        match tried(definition, &method, &path, item, operation) {
            Ok(one) => all.extend(one),
            Err(why) => report.without.push(format!("{method} {path}: {why}")),
        }
    }
    all
}

#[test]
fn operations_of_real_descriptions_take_good_requests_and_refuse_broken_ones_by_their_rule() {
    let Some(folder) = shared_cases("02-openapi/real") else { return };
    let mut files = Vec::new();
    definitions(&folder, &mut files);
    let (mut report, mut failed) = (Report::default(), Vec::new());
    let begun = Instant::now();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        match serve(&file, &text) {
            Err(said) => failed.push(format!("{}: {said}", file.display())),
            Ok((world, cost)) => {
                let tried = describe(&Definition::new(serde_json::from_str(&text).unwrap()), &mut report);
                let grown = world.gateway.memory();
                ask(&world, &tried, &mut report);
                println!("{cost}; {} operations asked, {} MiB more afterwards", tried.len(), world.gateway.memory().saturating_sub(grown));
            }
        }
    }
    conclude(&report, &failed, begun.elapsed());
}

fn conclude(report: &Report, failed: &[String], time: Duration) {
    println!(
        "{} operations and {} broken requests in {time:?}; {} operations without a sample; {} good requests refused, {} broken ones not by their rule",
        report.operations,
        report.broken,
        report.without.len(),
        report.refused.len(),
        report.passed.len()
    );
    report.without.iter().for_each(|one| println!("  without a sample: {one}"));
    report.refused.iter().for_each(|one| println!("  refused: {one}"));
    report.passed.iter().for_each(|one| println!("  not by its rule: {one}"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.refused.is_empty(), "{} good requests were refused", report.refused.len());
    assert!(report.passed.is_empty(), "{} broken requests were not refused by their rule", report.passed.len());
    assert!(report.operations >= 500 && report.broken >= 1000, "only {} operations", report.operations);
}
