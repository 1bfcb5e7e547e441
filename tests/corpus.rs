//! Every published definition: it builds, and each of its operations is routed to itself and to no other.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Settings, Upstream,
    certificates::{Authority, connector},
    shared_cases,
    token::Issuer,
    tollgate,
};

/// Interceptors of the reference product's own definitions are Ballerina and Java, which nothing here can run.
pub const FOREIGN_CODE: &str = "wasm";

/// What the definitions ask for and the chain of these tests, which is about routes, does not have.
const NOT_IN_CHAIN: [&str; 4] = ["throttle", "basic_auth", "api_key", "mtls"];

pub fn definitions(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            definitions(&path, found);
        } else if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) && name != "policies.yaml" {
            found.push(path);
        }
    }
    found.sort();
}

/// A path that a template matches.
pub fn sample(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').unwrap();
        path.push_str(&rest[..open]);
        path.push_str("sample");
        rest = &rest[open + close + 1..];
    }
    path.push_str(rest);
    path.replace("/*", "/the/rest")
}

/// Where clients go, with certificates and keys made for all definitions.
struct World {
    upstream: Upstream,
    issuer: Issuer,
    authority: Authority,
    folder: Folder,
    tls: Value,
    chain: Value,
}

impl World {
    fn new() -> Self {
        let (upstream, folder, issuer, authority) =
            (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"), Authority::new("root"));
        let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
        let public = issuer.write(&folder, "issuer.pem");
        let chain = json!([{ "jwt": { "issuers": [issuer.config(&public)] } }, "authorize", "cors", "headers"]);
        Self { upstream, issuer, authority, folder, tls: json!({ "certificate": certificate, "key": key }), chain }
    }

    fn build(&self, definition: &Path, number: usize, more: &[&str]) -> Result<PathBuf, String> {
        let project = self.folder.join(format!("project-{number}"));
        let api = project.join("api_definitions");
        fs::create_dir_all(&api).unwrap();
        fs::copy(definition, api.join(definition.file_name().unwrap())).unwrap();
        let own = definition.ancestors().map(|folder| folder.join("policies.yaml")).find(|path| path.is_file());
        // Those that `tollgate init` writes are the reference product's.
        let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/cli/templates/policies.yaml");
        fs::copy(own.unwrap_or_else(shipped), project.join("policies.yaml")).unwrap();
        let artifact = self.folder.join(format!("{number}.toll"));
        let endpoint = self.upstream.url();
        let fixed = ["build".as_ref(), project.as_os_str(), "-o".as_ref(), artifact.as_os_str(), "--endpoint".as_ref(), endpoint.as_ref()];
        let ran = tollgate(fixed.into_iter().chain(more.iter().map(AsRef::as_ref)));
        if ran.code == 0 { Ok(artifact) } else { Err(ran.stderr) }
    }

    fn serve(&self, artifact: &Path) -> Gateway {
        let only = json!({ "production": [self.upstream.url()], "sandbox": [self.upstream.url()], "basic": { "username": "u", "password": format!("${{file:{}}}", self.folder.write("password", "secret").display()) } });
        let config = json!({ "chain": self.chain, "endpoints": { "*": only }, "waive_to_open": NOT_IN_CHAIN });
        Gateway::start(artifact, Settings { config, tls: Some(self.tls.clone()), h2c: false })
    }

    /// Asks for every operation of a running gateway; the differences come back, and how many were asked for.
    fn ask_all(&self, gateway: &Gateway) -> (Vec<String>, usize) {
        let plan: Value = serde_json::from_slice(&gateway.admin("/plan").body).unwrap();
        let token = self.issuer.token(json!({ "scope": scopes(&plan) }));
        let mut secure = Client::tls(gateway.ports.tls, "localhost", &connector(&self.authority, None, b"", None)).unwrap();
        let mut plain = gateway.connect();
        let mut expected = Vec::new();
        self.upstream.forget();
        for api in plan["apis"].as_array().unwrap() {
            let base = api["base_path"].as_str().unwrap().trim_end_matches('/');
            let field = format!("{}: Bearer {token}", api["auth_header"].as_str().unwrap_or("Authorization"));
            let client = if api["transports"]["https"] == true { &mut secure } else { &mut plain };
            for operation in api["operations"].as_array().unwrap() {
                let (method, resource) = (operation["method"].as_str().unwrap(), sample(operation["template"].as_str().unwrap()));
                let answer = client
                    .ask(method, &encoded(&format!("{base}{resource}")), &[&field], b"")
                    .unwrap_or_else(|error| panic!("{method} {base}{resource}: {error}"));
                expected.push((operation.clone(), encoded(&resource), answer.status()));
            }
        }
        let log = gateway.log_of(expected.len());
        let mut wrong = Vec::new();
        let mut arrived = self.upstream.requests().into_iter();
        for ((operation, resource, status), line) in expected.iter().zip(&log) {
            let method = operation["method"].as_str().unwrap();
            let place = format!("{method} {}", operation["template"]);
            if line["operation"] != operation["id"] {
                wrong.push(format!("{place} was routed to {}", line["operation"]));
            }
            if operation["target"]["options"].is_object() {
                continue;
            }
            let path = arrived.next().map(|received| received.message.start);
            let start = format!("{method} {resource} HTTP/1.1");
            if *status != 200 || path.as_deref() != Some(start.as_str()) {
                wrong.push(format!("{place}: status {status}, upstream saw {path:?}, not {start:?}, {line}"));
            }
        }
        (wrong, expected.len())
    }
}

/// Every scope that anything in a plan asks for.
fn scopes(plan: &Value) -> String {
    let mut all = BTreeSet::new();
    let operations = plan["apis"].as_array().unwrap().iter().flat_map(|api| api["operations"].as_array().unwrap());
    for alternative in operations.flat_map(|operation| operation["security"]["alternatives"].as_array().unwrap()) {
        for scope in alternative["credentials"].as_array().unwrap().iter().flat_map(|credential| credential["scopes"].as_array().unwrap()) {
            all.insert(scope.as_str().unwrap().to_owned());
        }
    }
    all.into_iter().collect::<Vec<_>>().join(" ")
}

/// What of a template a client must escape.
pub fn encoded(path: &str) -> String {
    path.replace(' ', "%20")
}

fn corpus_is_served(folders: &[&str], at_least: usize) {
    let mut files = Vec::new();
    for folder in folders {
        let Some(folder) = shared_cases(folder) else { return };
        definitions(&folder, &mut files);
    }
    let world = World::new();
    let (mut wrong, mut operations) = (Vec::new(), 0);
    for (number, file) in files.iter().enumerate() {
        match world.build(file, number, &["--waive", FOREIGN_CODE]) {
            Err(said) => wrong.push(format!("{}: {said}", file.display())),
            Ok(artifact) => {
                let (different, count) = world.ask_all(&world.serve(&artifact));
                operations += count;
                wrong.extend(different.into_iter().map(|one| format!("{}: {one}", file.display())));
            }
        }
    }
    println!("{} definitions, {operations} operations", files.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(operations >= at_least, "only {operations} operations were asked for");
}

#[test]
fn every_operation_of_the_reference_products_definitions_is_routed_to_itself() {
    corpus_is_served(&["12-wso2"], 100);
}

#[test]
fn every_operation_of_the_real_descriptions_is_routed_to_itself() {
    corpus_is_served(&["02-openapi/real"], 500);
}

#[test]
fn of_the_reference_products_definitions_only_those_with_code_need_a_waiver() {
    let Some(folder) = shared_cases("12-wso2") else { return };
    let mut files = Vec::new();
    definitions(&folder, &mut files);
    let world = World::new();
    let mut refused = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let Err(said) = world.build(file, number, &[]) else { continue };
        let errors: Vec<&str> = said.lines().filter(|line| line.contains(": error[")).collect();
        assert!(errors.iter().all(|line| line.contains("error[interceptor.module]")), "{}: {said}", file.display());
        refused.push((file.file_name().unwrap().to_string_lossy().into_owned(), errors.len()));
    }
    assert_eq!(refused, [("interceptors_sample.yaml".to_owned(), 2), ("interceptor.yaml".to_owned(), 8)]);
}
