//! `tollgate coverage`: what of the definitions traffic has used, and what answers they do not declare.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tollgate_validation::coverage::{Coverage, Operation, documents, overlay};

use super::{
    Format,
    report::{Failure, complain, print, print_json},
    table,
};
use crate::stores::{Client, Fetched, ServerTrust, parse_url};

/// Time for the gateway's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of it. An operation has about one kilobyte, and up to a hundred when its schemas are large.
const MOST: usize = 256 << 20;

/// Show what of the definitions traffic has used, and what they do not declare.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The operator's port of a running gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9901")]
    admin: String,
    /// List what is declared and was never seen.
    #[arg(long)]
    unused: bool,
    /// Write an OpenAPI Overlay that adds the statuses that were seen.
    #[arg(long, value_name = "FILE|-", conflicts_with = "unused")]
    overlay: Option<PathBuf>,
    /// The definition that the overlay is for, when several lack statuses.
    #[arg(long, value_name = "FILE", requires = "overlay")]
    document: Option<String>,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let bytes = fetch(&args.admin)?;
    let read = |error: serde_json::Error| Failure::Cannot(format!("{}/coverage is not what this version reads: {error}", args.admin));
    let coverage: Coverage = serde_json::from_slice(&bytes).map_err(read)?;
    match (&args.overlay, args.unused, format) {
        (Some(target), ..) => write_overlay(&coverage, args.document.as_deref(), target),
        (None, false, Format::Json) => print_json(&json!(coverage)),
        (None, false, Format::Text) => print(&overview(&coverage)),
        (None, true, Format::Json) => print_json(&json!(unused(&coverage).iter().map(Unused::data).collect::<Vec<_>>())),
        (None, true, Format::Text) => print(&listed(&unused(&coverage))),
    }
}

fn fetch(admin: &str) -> Result<Vec<u8>, Failure> {
    let target = parse_url(&format!("{}/coverage", admin.trim_end_matches('/')))?;
    let client = Client::new(ServerTrust::System);
    client.check(&target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot ask the gateway", &error))?;
    match runtime.block_on(client.get(&target, None, PATIENCE, MOST)) {
        Ok(Fetched::New(bytes, _)) => Ok(bytes.to_vec()),
        Ok(Fetched::Same) => Err(Failure::Cannot(format!("{target}: no content"))),
        Err(error) => Err(Failure::Cannot(format!("{target}: {error}; `--admin` says where the operator's port is"))),
    }
}

/// A line for each operation.
fn overview(coverage: &Coverage) -> String {
    let some = |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join(", ") };
    let row = |operation: &Operation| {
        let undeclared = operation.undeclared.iter().map(|(status, count)| format!("{status} ({count})"));
        let parameters = if operation.requests > 0 && operation.judged.is_none() && !operation.parameters.is_empty() {
            "not looked at".to_owned()
        } else {
            some(operation.parameters_never_used())
        };
        let findings: u64 = operation.findings.iter().map(|one| one.refused + one.reported).sum::<u64>() + operation.other_findings;
        vec![
            operation.method.clone(),
            operation.path.clone(),
            operation.requests.to_string(),
            parameters,
            some(operation.answers_never_seen()),
            some(undeclared.collect()),
            findings.to_string(),
        ]
    };
    let head = ["METHOD", "PATH", "REQUESTS", "PARAMETERS NEVER USED", "ANSWERS NEVER SEEN", "NOT DECLARED", "FINDINGS"];
    let rows: Vec<_> = coverage.operations.iter().map(row).collect();
    format!("{}\ncounted since {}\n", table::render(&head, &rows), coverage.since)
}

/// Something that is declared and was never seen.
struct Unused<'a> {
    operation: &'a Operation,
    /// What it is, in a word.
    kind: &'static str,
    name: String,
    source: String,
}

impl Unused<'_> {
    fn data(&self) -> Value {
        let Operation { api, version, operation, method, path, .. } = self.operation;
        json!({
            "api": api, "version": version, "operation": operation, "method": method, "path": path,
            "kind": self.kind, "name": self.name, "source": self.source,
        })
    }
}

fn unused(coverage: &Coverage) -> Vec<Unused<'_>> {
    coverage.operations.iter().flat_map(unused_of).collect()
}

/// Of an operation that nobody called, the operation alone.
fn unused_of(operation: &Operation) -> Vec<Unused<'_>> {
    let one = |kind, name: String, source: &str| Unused { operation, kind, name, source: source.to_owned() };
    if operation.requests == 0 {
        return vec![one("operation", operation.operation.clone(), &operation.source)];
    }
    let is_judged = operation.judged.is_some_and(|judged| judged > 0);
    let mut all = Vec::new();
    for parameter in operation.parameters.iter().filter(|parameter| is_judged && parameter.requests == 0) {
        all.push(one("parameter", format!("{} {}", parameter.place, parameter.name), &parameter.source));
    }
    for body in operation.bodies.iter().filter(|body| is_judged && body.requests == 0) {
        all.push(one("body", body.media_type.clone(), &body.source));
    }
    for answer in operation.answers.iter().filter(|answer| answer.answers == 0) {
        all.push(one("answer", answer.status.clone(), &answer.source));
    }
    for schema in &operation.schemas {
        for place in &schema.never_seen {
            let (kind, branch) = place.branch.as_ref().map_or(("member", String::new()), |branch| ("branch", format!(" {branch}")));
            all.push(one(kind, format!("{} {}{branch} ({} sampled)", schema.direction, place.pointer, schema.bodies), &place.source));
        }
    }
    all
}

fn listed(unused: &[Unused<'_>]) -> String {
    let row = |one: &Unused<'_>| {
        let operation = one.operation;
        vec![operation.method.clone(), operation.path.clone(), one.kind.to_owned(), one.name.clone(), one.source.clone()]
    };
    table::render(&["METHOD", "PATH", "NEVER SEEN", "NAME", "WRITTEN IN"], &unused.iter().map(row).collect::<Vec<_>>())
}

fn write_overlay(coverage: &Coverage, document: Option<&str>, target: &PathBuf) -> Result<(), Failure> {
    let lacking = documents(coverage);
    let chosen = match document {
        Some(chosen) if coverage.operations.iter().any(|operation| operation.document == chosen) => Some(chosen),
        Some(other) => return Err(Failure::Cannot(format!("the gateway serves no definition `{other}`"))),
        None if lacking.len() > 1 => {
            let names: Vec<&str> = lacking.into_iter().collect();
            return Err(Failure::Cannot(format!("several definitions lack statuses; choose one with --document: {}", names.join(", "))));
        }
        None => lacking.first().copied(),
    };
    let Some(overlay) = chosen.and_then(|chosen| overlay(coverage, chosen)) else {
        complain("every status that was seen is declared: there is nothing to overlay");
        return Ok(());
    };
    if target.as_os_str() == "-" {
        return print_json(&overlay);
    }
    fs::write(target, format!("{overlay:#}\n")).map_err(|error| Failure::io(target.display(), &error))
}
