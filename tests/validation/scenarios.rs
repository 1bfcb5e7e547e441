//! Requests that somebody else wrote down with what a mock server answers, read as: is the request valid?

use std::fs;

use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{Folder, Gateway, Project, Ran, Reply, Settings, Upstream, shared_cases, token::Issuer};

use super::{
    curl,
    world::{Asked, World},
};

/// Where the gateway decides in another way, and why that is right.
const EXPLAINED: [(&str, &str); 2] = [
    (
        "content-negotiation/E2E-Accept-Content-Negotiation.invalid.oas3.txt",
        "406 says what a mock server can make up; what an upstream can make, it says itself",
    ),
    (
        "validate-body-params/multipart-form-data-allow-reserved-fail.oas3.txt",
        "nothing is escaped in parts of multipart, and `allowReserved` SHALL be ignored there (OpenAPI 3.0.3)",
    ),
];

/// What is said to be a definition and is none.
const NO_DEFINITION: [(&str, &str); 1] =
    [("validate-path-params/path-param-with-colon-simple.oas3.txt", "one of its media types is a text, and it does not build")];

/// The Digest scheme has no filter.
const WAIVED: [&str; 1] = ["http_digest"];

/// Options of a mock server by which it does something else than judge requests, and what.
const OTHER_TASKS: [(&str, &str); 2] = [
    ("proxy ", "passes on what no definition has"),
    ("--cors=false", "answers no OPTIONS, where the gateway answers by the methods of a path"),
];

struct Scenario {
    id: String,
    definition: Value,
    asked: Asked,
    valid: bool,
    /// What the upstream says, where it is the answer that is judged.
    answer: Option<String>,
}

/// The first example of an answer.
fn example(definition: &Value) -> Option<String> {
    let operation = definition["paths"].as_object()?.values().next()?.as_object()?.values().next()?;
    let media = operation["responses"].as_object()?.values().next()?["content"]["application/json"].as_object()?.clone();
    Some(media["examples"].as_object()?.values().next()?["value"].to_string())
}

/// Everything that judges requests by a definition in OpenAPI, and how much does not.
fn scenarios(text: &str) -> (Vec<Scenario>, usize) {
    let (mut all, mut others) = (Vec::new(), 0);
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["id"].as_str().unwrap().to_owned();
        let document = Document::parse("api.yaml", line["openapi"].as_str().unwrap().as_bytes(), &Limits::default());
        let definition = document.unwrap_or_else(|problems| panic!("{id}: {problems:?}")).value();
        if definition["openapi"].is_null() && definition["swagger"].is_null() {
            others += 1;
            continue;
        }
        if let Some((_, why)) = NO_DEFINITION.iter().find(|(known, _)| *known == id) {
            println!("{id} is left out: {why}");
            others += 1;
            continue;
        }
        let server = line["server"].as_str().unwrap();
        if let Some((_, task)) = OTHER_TASKS.iter().find(|(option, _)| server.contains(option)) {
            println!("{id} is left out: the mock server {task}");
            others += 1;
            continue;
        }
        let mut asked = curl::request(&id, line["command"].as_str().unwrap());
        let base = format!("/s{number}");
        asked.target = format!("{base}{}", asked.target);
        let valid = (200..400).contains(&line["status"].as_u64().unwrap());
        let answer = if server.contains("--errors") { example(&definition) } else { None };
        let mut definition = placed(definition, &base);
        if answer.is_some() {
            definition["x-tollgate-validate"] = json!({ "response": "enforce" });
        }
        all.push(Scenario { definition, id, asked, valid, answer });
    }
    (all, others)
}

/// Below a base path of its own, with what a mock server does not need. Without a scheme of its own it is open to everybody.
fn placed(mut definition: Value, base: &str) -> Value {
    definition["info"] = json!({ "title": base.trim_start_matches('/'), "version": "1" });
    definition["x-wso2-basePath"] = base.into();
    definition.as_object_mut().unwrap().remove("servers");
    if definition["components"]["securitySchemes"].is_null() && definition["securityDefinitions"].is_null() {
        definition["x-wso2-disable-security"] = true.into();
    }
    definition.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    definition
}

/// Credentials that a mock server takes because they have the right form, and that somebody has here.
fn chain(folder: &Folder, issuer: &Issuer) -> Value {
    let digest = |text: &str| openssl::sha::sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let keys: Vec<Value> =
        ["foo", "abc123", "xyz987"].iter().map(|key| json!({ "id": key, "sha256": digest(key), "apis": ["*"] })).collect();
    json!([
        { "jwt": { "issuers": [issuer.config(&issuer.write(folder, "issuer.pem"))] } },
        { "basic_auth": { "users": { "test": { "hash": format!("@sha256:{{{}}}", digest("test")) } } } },
        { "api_key": { "keys": keys } },
        "authorize",
        { "validate": { "undeclared_body": "refuse" } },
    ])
}

fn try_build(project: Project, endpoint: &str) -> (Ran, std::path::PathBuf, Project) {
    let (ran, artifact) = project.try_build(&["--endpoint", endpoint, "--waive-to-open", &WAIVED.join(",")]);
    (ran, artifact, project)
}

fn serve(scenarios: &[Scenario], upstream: &Upstream, issuer: &Issuer) -> Gateway {
    let mut project = Project::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        project = project.definition(&format!("{number}.json"), scenario.definition.to_string());
    }
    let (ran, artifact, _project) = try_build(project, &upstream.url());
    ran.ok();
    let folder = Folder::new();
    let config = json!({
        "chain": chain(&folder, issuer),
        "endpoints": { "*": { "production": [upstream.url()] } },
        "waive_to_open": WAIVED,
    });
    Gateway::start_in(folder, &artifact, Settings::of(config))
}

#[test]
fn scenarios_of_a_mock_server_are_decided_as_it_decides_them() {
    let Some(file) = shared_cases("02-openapi/prism-scenarios.jsonl") else { return };
    let (all, others) = scenarios(&fs::read_to_string(file).unwrap());
    let answers: Vec<Option<String>> = all.iter().map(|scenario| scenario.answer.clone()).collect();
    let upstream = Upstream::answering(move |request| {
        let number: Option<usize> = request.field("x-scenario").and_then(|number| number.parse().ok());
        match number.and_then(|number| answers[number].as_ref()) {
            Some(answer) => Reply::with(200, &["Content-Type: application/json"], answer),
            None => Reply::new(200, ""),
        }
    });
    let issuer = Issuer::new("https://issuer.example");
    let count = all.len();
    let mut wrong = Vec::new();
    let mut built = Vec::new();
    for (number, mut scenario) in all.into_iter().enumerate() {
        scenario.asked = scenario.asked.field(format!("X-Scenario: {number}"));
        let (ran, ..) = try_build(Project::new().definition("api.json", scenario.definition.to_string()), &upstream.url());
        if ran.code == 0 {
            built.push(scenario);
        } else {
            wrong.push((scenario.id, format!("does not build: {}", ran.stderr)));
        }
    }
    let world = World { gateway: serve(&built, &upstream, &issuer), upstream };
    let token = issuer.token(json!({ "scope": "read write admin" }));
    let asked: Vec<Asked> = built.iter().map(|scenario| credited(&scenario.asked, &token)).collect();
    for (verdict, scenario) in world.judge(&asked).iter().zip(&built) {
        let accepted = (200..400).contains(&verdict.status());
        if accepted != scenario.valid {
            let said = verdict.answer.as_ref().map(|answer| format!("{} {}", answer.status(), answer.text()));
            wrong.push((scenario.id.clone(), format!("is to be {}: {said:?}", if scenario.valid { "valid" } else { "invalid" })));
        }
    }
    report(count, others, &wrong);
}

/// With a token that somebody issued in place of `abc123`.
fn credited(asked: &Asked, token: &str) -> Asked {
    let mut asked = asked.clone();
    for field in &mut asked.fields {
        *field = field.replace("Bearer abc123", &format!("Bearer {token}"));
    }
    asked
}

fn report(count: usize, others: usize, wrong: &[(String, String)]) {
    println!("{count} scenarios, {others} more without a definition in OpenAPI, {} decided differently", wrong.len());
    let why = |id: &str| EXPLAINED.iter().find(|(known, _)| *known == id).map(|(_, why)| *why);
    for (id, said) in wrong {
        println!("  {id}: {said}\n    {}", why(id).unwrap_or("NOT EXPLAINED"));
    }
    let unexplained: Vec<_> = wrong.iter().filter(|(id, _)| why(id).is_none()).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(wrong.len() * 20 <= count, "{} of {count} were decided differently", wrong.len());
}
