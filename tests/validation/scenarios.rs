//! Requests that somebody else wrote down with what a mock server answers, read as: is the request valid?

use std::fs;

use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{Folder, Gateway, Project, Ran, Settings, Upstream, shared_cases, token::Issuer};

use super::{
    curl,
    world::{Asked, World},
};

/// Where the gateway decides in another way, and why that is right.
const EXPLAINED: [(&str, &str); 0] = [];

/// The Digest scheme has no filter.
const WAIVED: [&str; 1] = ["digest"];

struct Scenario {
    id: String,
    definition: Value,
    asked: Asked,
    valid: bool,
}

/// Everything that comes with a definition in OpenAPI, and how much does not.
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
        let mut asked = curl::request(&id, line["command"].as_str().unwrap());
        let base = format!("/s{number}");
        asked.target = format!("{base}{}", asked.target);
        let valid = (200..400).contains(&line["status"].as_u64().unwrap());
        all.push(Scenario { definition: placed(definition, &base), id, asked, valid });
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
        "validate",
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
    let (upstream, issuer) = (Upstream::start(), Issuer::new("https://issuer.example"));
    let count = all.len();
    let mut wrong = Vec::new();
    let mut built = Vec::new();
    for scenario in all {
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
