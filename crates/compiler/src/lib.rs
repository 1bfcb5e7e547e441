//! OpenAPI documents with their extensions, and gRPC services with their options, to a Plan.
//!
//! [`compile`] reads the definitions of a [`Project`] with everything they refer to, judges their form
//! (`structure`; `grpc` for `.proto` files), reads them into one thin model for all versions (`model`), and assembles the Plan (`api`). All
//! problems come at once, sorted; there is a Plan only when none of them is an error.
//!
//! It knows no clock, no network and no order of files: the same inputs give the same Plan. It protects against files
//! that are hostile (see `tollgate-document` for size and depth, `sources` for references). It does not judge
//! whether an endpoint exists, or whether what a filter is asked for makes sense to it: that filter does.

mod api;
mod collisions;
mod declarations;
mod demands;
mod endpoints;
mod enforce;
mod extensions;
mod grpc;
mod guards;
mod input;
mod interceptors;
mod media_types;
mod model;
mod paths;
mod policies;
mod rules;
mod security;
mod structure;

use std::collections::BTreeMap;

use tollgate_document::{Limits, pointer};
use tollgate_filter_api::{Problems, Severity};
use tollgate_plan::{Document, Plan, Source};
use tollgate_routes::Place;

pub use input::files::{Files, Folder, Loose};
pub use input::project::{Project, Settings};

use collisions::Claim;
use endpoints::{Groups, UPSTREAM_DIGEST};
use enforce::{Catalogue, Waivers};
use input::sources::{self, Sources};
use input::spot::Spot;
use interceptors::Interceptors;
use paths::{base_path, url};

/// What the caller of [`compile`] decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Demands and credentials that some filter can enforce, by name. `None`: the documents are judged alone, as `check` does; a
    /// missing endpoint is then a warning.
    pub enforceable: Option<Vec<&'static str>>,
    /// IDs of the filters that answer every request themselves: an operation that demands one needs no endpoint.
    pub answers: Vec<&'static str>,
    /// Waived besides those of the project's settings.
    pub waive: Vec<String>,
    /// Waived besides those of the project's settings, also where nothing else is asked for.
    pub waive_to_open: Vec<String>,
    /// Endpoint for operations without one; wins over the project's settings.
    pub endpoint: Option<String>,
    /// Bounds for each file.
    pub limits: Limits,
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// There when no problem is an error.
    pub plan: Option<Plan>,
    /// The bytes of each of [`Plan::documents`], in the same order.
    pub texts: Vec<Vec<u8>>,
    /// Everything that is wrong, sorted.
    pub problems: Problems,
}

/// Compiles a project.
pub fn compile(project: &Project, options: &Options) -> Outcome {
    let mut problems = Problems::default();
    let mut definitions = project.definitions.clone();
    definitions.sort();
    definitions.dedup();
    let (protos, mut names): (Vec<String>, Vec<String>) = definitions.iter().cloned().partition(|name| name.ends_with(grpc::ENDING));
    let absent = |name: &String| matches!(project.files.read(name, 0), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    let policies_file = project.policies.clone().filter(|name| !absent(name));
    names.extend(policies_file.clone());
    names.extend(project.settings.clone());
    let mut sources = Sources::load(&*project.files, &names, &options.limits, &mut problems);
    grpc::load(&*project.files, &protos, &options.limits, &mut sources, &mut problems);
    let (settings, root) = settings(project, &sources, &mut problems);
    let waivers = Waivers {
        waive: settings.waive.iter().chain(&options.waive).map(String::as_str).collect(),
        to_open: settings.waive_to_open.iter().chain(&options.waive_to_open).map(String::as_str).collect(),
        place: &|filter, problem| waived_at(root.as_ref(), filter).map_or(problem.clone(), |spot| spot.place(problem)),
    };
    let policies = policies_file.and_then(|name| sources.index(&name)).map(|file| sources.root(file));
    let policies = policies.map(|root| policies::read(&root, &mut problems)).unwrap_or_default();
    let missing = if options.enforceable.is_some() { Severity::Error } else { Severity::Warning };
    let endpoint = match (&options.endpoint, &settings.endpoint) {
        (Some(url), _) => Some((url.clone(), None)),
        (None, Some(url)) => Some((url.clone(), root.as_ref().and_then(|root| root.get("endpoint")).map(|spot| spot.source()))),
        (None, None) => None,
    };
    let endpoint = endpoint.filter(|(url, source)| usable_endpoint(url, source.as_ref(), project, &mut problems));
    let mut shared = api::Project {
        policies: project.policies.is_some().then_some(&policies),
        throttle_waived: waivers.has(policies::FILTER),
        endpoint,
        missing_endpoint: missing,
        answers: &options.answers,
        groups: Groups::default(),
        rules: rules::Rules::new(&sources, waivers.has(rules::FILTER)),
        interceptors: Interceptors::new(&*project.files, project.interceptors.as_deref(), waivers.has(interceptors::FILTER)),
        problems,
    };
    let apis = apis(&definitions, &sources, &mut shared);
    let api::Project { groups, rules, interceptors, mut problems, .. } = shared;
    let schemas = rules.finish(&mut problems);
    let mut declared = BTreeMap::new();
    if !schemas.schemas.is_empty() && !waivers.has(rules::FILTER) {
        declared.insert(rules::FILTER.to_owned(), serde_json::json!(schemas));
    }
    let left_out = interceptors.left_out();
    declared.extend(interceptors.finish().map(|modules| (interceptors::FILTER.to_owned(), modules)));
    if !policies.is_empty() {
        declared.insert(policies::FILTER.to_owned(), serde_json::json!(policies));
    }
    let (name, documents, endpoints) = (project.name.clone(), documents(&sources), groups.list);
    let mut plan = Plan { name, documents, apis, endpoints, declared, waived: Vec::new() };
    if let (Some(file), Some(root)) = (project.settings.as_ref().and_then(|name| sources.index(name)), &root) {
        let place = Place {
            document: root.node.document(),
            known: Ok(u32::try_from(file).unwrap_or(u32::MAX)),
            pointer: "/routes",
            groups: None,
            answering: &options.answers,
            secured: Some("the chain of the gateway may check credentials"),
        };
        problems.0.extend(tollgate_routes::add(&mut plan, &settings.routes, place).err().into_iter().flat_map(|found| found.0));
    }
    if let Some(enforceable) = &options.enforceable {
        let catalogue = Catalogue { enforceable, waivers: &waivers };
        let extra: Vec<(&str, Source)> = groups.digest.into_iter().map(|source| (UPSTREAM_DIGEST, source)).collect();
        enforce::enforce(&mut plan, &catalogue, &extra, &mut problems);
        let waived = left_out.then(|| interceptors::FILTER.to_owned());
        plan.waived.extend(waived.filter(|filter| !plan.waived.contains(filter)));
        plan.waived.sort();
    }
    let problems = problems.sorted();
    let texts = sources.into_texts();
    Outcome { plan: (!problems.has_errors()).then_some(plan), texts, problems }
}

/// The project's settings, and where they are written.
fn settings<'a>(project: &Project, sources: &'a Sources, problems: &mut Problems) -> (Settings, Option<Spot<'a>>) {
    let Some(file) = project.settings.as_ref().and_then(|name| sources.index(name)) else {
        return (Settings::default(), None);
    };
    let root = sources.root(file);
    if root.is(tollgate_document::Shape::Null) {
        return (Settings::default(), None);
    }
    let settings = root.node.document().decode("").unwrap_or_else(|problem| {
        problems.push(problem);
        Settings::default()
    });
    (settings, Some(root))
}

/// Where the project waives a filter.
fn waived_at<'a>(root: Option<&Spot<'a>>, filter: &str) -> Option<Spot<'a>> {
    root?.get("waive")?.items().find(|item| item.node.as_str() == Some(filter))
}

fn usable_endpoint(url: &str, source: Option<&Source>, project: &Project, problems: &mut Problems) -> bool {
    let Some(mut problem) = url::endpoint_problem(url) else { return true };
    if let (Some(source), Some(file)) = (source, &project.settings) {
        problem = problem.at(file, source.line, pointer::join("", "endpoint"));
    }
    problems.push(problem);
    false
}

/// Bytes of a title and of a version: they are parts of names in the Plan.
const MAX_NAME: usize = 512;

/// Every definition that can be read, in the order of base paths.
fn apis<'a>(definitions: &[String], sources: &'a Sources, shared: &mut api::Project<'a>) -> Vec<tollgate_plan::Api> {
    let mut read = Vec::new();
    let mut claims = Vec::new();
    let found: Vec<_> = definitions.iter().flat_map(|name| self::definitions(name, sources, &mut shared.problems)).collect();
    for definition in found {
        if definition.title.len() > MAX_NAME || definition.version_text.len() > MAX_NAME {
            let message = format!("title and version have at most {MAX_NAME} bytes each");
            shared.problems.push(definition.root.error("api.name", message));
            continue;
        }
        if [&definition.title, &definition.version_text].iter().any(|text| text.chars().any(char::is_control)) {
            let problem = definition.root.error("api.name", "title and version have no control characters");
            shared.problems.push(problem.hint("they stand in logs and tables, one line each"));
            continue;
        }
        let base = base_path::derive(&definition, &mut shared.problems);
        let base_path = base.as_ref().map_or("/".to_owned(), |(path, _)| path.clone());
        let hosts = api::hosts(&definition.root, &mut shared.problems);
        if let Some((path, place)) = base {
            let name = format!("{}:{}", definition.title, definition.version_text);
            claims.push(Claim { name, base_path: path, hosts: hosts.clone(), root: definition.root.clone(), place });
        }
        read.push((base_path, hosts, definition));
    }
    collisions::report(&claims, &mut shared.problems);
    read.sort_by(|a, b| a.0.cmp(&b.0));
    read.into_iter().map(|(base_path, hosts, definition)| api::assemble(shared, &definition, base_path, hosts)).collect()
}

/// What a file defines: one API, or each service of a `.proto` file.
fn definitions<'a>(name: &str, sources: &'a Sources, problems: &mut Problems) -> Vec<model::Definition<'a>> {
    let Some(file) = sources.index(name) else { return Vec::new() };
    let root = sources.root(file);
    if name.ends_with(grpc::ENDING) {
        return root.entries().map(|(_, service)| model::service(sources, service)).collect();
    }
    let version = structure::judge(sources, file, problems);
    version.map(|version| model::read(sources, root, version)).into_iter().collect()
}

fn documents(sources: &Sources) -> Vec<Document> {
    let file = |f: &sources::SourceFile| Document { path: f.document.name().to_owned(), sha256: sha256(&f.bytes) };
    sources.files().iter().map(file).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(openssl::sha::sha256(bytes))
}
