//! `tollgate plan`: what every operation demands, who may reach it, and where it goes.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use tollgate_plan::{Alternative, Api, Credential, EndpointGroup, EndpointUrl, Environment, Operation, Plan, Security, Strategy, Target};

use super::{
    Format, groups,
    project::{BuildOptions, open},
    report::{Failure, print, print_json},
    table,
};

/// Show what every operation demands, who may reach it, and where it goes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A project folder, an artifact, or a gateway.yaml with routes.
    #[arg(value_name = "DIR|ARTIFACT")]
    input: PathBuf,
    #[command(flatten)]
    options: BuildOptions,
}

/// An endpoint group.
#[derive(Serialize)]
struct Endpoints {
    name: String,
    environment: Environment,
    strategy: Strategy,
    urls: Vec<String>,
}

/// One credential, for programs.
#[derive(Serialize)]
struct Needs {
    filter: String,
    scheme: String,
    scopes: Vec<String>,
}

/// One operation.
#[derive(Serialize)]
struct Row {
    method: String,
    path: String,
    operation: String,
    api: String,
    who: String,
    /// What `who` says: one of these, each with all that is in it.
    alternatives: Vec<Vec<Needs>>,
    filters: Vec<String>,
    endpoints: Vec<Endpoints>,
    /// Everybody may call it because what it asks for was waived.
    opened: bool,
    source: String,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let artifact = open(&args.input, &args.options)?;
    let (plan, rows) = (artifact.plan(), rows(artifact.plan()));
    if format == Format::Json {
        let data = json!({
            "name": plan.name,
            "sha256": artifact.digest(),
            "signers": artifact.signers(),
            "waived": plan.waived,
            "operations": rows,
            "endpoints": groups::data(plan),
        });
        return print_json(&data);
    }
    let opened: Vec<String> = rows.iter().filter(|row| row.opened).map(|row| format!("{} {}", row.method, row.path)).collect();
    let cells: Vec<Vec<String>> = rows.into_iter().map(Row::into_cells).collect();
    let mut text = table::render(&["METHOD", "PATH", "OPERATION", "WHO", "FILTERS", "ENDPOINTS"], &cells);
    text.push_str(&groups::text(plan));
    if !plan.waived.is_empty() {
        text.push_str(&format!("\nwaived, so that nobody enforces it: {}\n", plan.waived.join(", ")));
    }
    if !opened.is_empty() {
        text.push_str(&format!("open to everybody because of that: {}\n", opened.join(", ")));
    }
    print(&text)
}

impl Row {
    fn into_cells(self) -> Vec<String> {
        let filters = if self.filters.is_empty() { "-".to_owned() } else { self.filters.join(", ") };
        let endpoints: Vec<String> = self.endpoints.iter().map(Endpoints::cell).collect();
        let endpoints = if endpoints.is_empty() { "answered by the gateway".to_owned() } else { endpoints.join(", ") };
        vec![self.method, self.path, self.operation, self.who, filters, endpoints]
    }
}

fn rows(plan: &Plan) -> Vec<Row> {
    let each = |api: &Api, operation: &Operation| Row {
        method: operation.method.clone(),
        path: format!("{}{}", hosts(api), api.path(operation)),
        operation: operation.id.clone(),
        api: format!("{}:{}", api.title, api.version),
        who: who(&operation.security),
        alternatives: operation.security.alternatives.iter().map(needs).collect(),
        filters: filters(operation),
        endpoints: endpoints(plan, &operation.target),
        opened: operation.security.is_opened(),
        source: plan.written(&operation.source),
    };
    plan.apis.iter().flat_map(|api| api.operations.iter().map(move |operation| each(api, operation))).collect()
}

/// Hosts before a path: `shop.example`, `{a.example,b.example}`.
fn hosts(api: &Api) -> String {
    match api.hosts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        many => format!("{{{}}}", many.join(",")),
    }
}

fn filters(operation: &Operation) -> Vec<String> {
    let mut filters: Vec<String> = operation.demanded().map(|(filter, _)| filter.to_owned()).collect();
    filters.sort();
    filters.dedup();
    filters
}

fn needs(alternative: &Alternative) -> Vec<Needs> {
    let one = |credential: &Credential| Needs {
        filter: credential.filter.clone(),
        scheme: credential.scheme.clone(),
        scopes: credential.scopes.clone(),
    };
    alternative.credentials.iter().map(one).collect()
}

/// `token (scopes a b)`, `basic_auth or api_key`, `open (waived basic_auth)`. Schemes that come down to the same are said once.
fn who(security: &Security) -> String {
    let mut ways: Vec<String> = Vec::new();
    for way in security.alternatives.iter().map(alternative) {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let mut text = if ways.is_empty() { "open".to_owned() } else { ways.join(" or ") };
    if !security.waived.is_empty() {
        text.push_str(&format!(" (waived {})", security.waived.join(" ")));
    }
    text
}

fn alternative(alternative: &Alternative) -> String {
    match alternative.credentials.as_slice() {
        [] => "anonymous".to_owned(),
        all => all.iter().map(credential).collect::<Vec<_>>().join(" and "),
    }
}

fn credential(credential: &Credential) -> String {
    let name = if credential.filter == tollgate_plan::TOKEN { "token" } else { &credential.filter };
    match credential.scopes.as_slice() {
        [] => name.to_owned(),
        [scope] => format!("{name} (scope {scope})"),
        scopes => format!("{name} (scopes {})", scopes.join(" ")),
    }
}

/// The groups of each environment; none when the gateway answers itself.
fn endpoints(plan: &Plan, target: &Target) -> Vec<Endpoints> {
    let Target::Endpoints { production, sandbox } = target else { return Vec::new() };
    let group = |index: &Option<u32>| index.and_then(|index| plan.endpoints.get(index as usize)).map(Endpoints::of);
    group(production).into_iter().chain(group(sandbox)).collect()
}

impl Endpoints {
    fn of(group: &EndpointGroup) -> Self {
        let written = |url: &EndpointUrl| match &url.etcd_key {
            Some(key) => format!("etcd({key}, {})", url.url),
            None => url.url.clone(),
        };
        let urls = group.urls.iter().map(written).collect();
        Self { name: group.name.clone(), environment: group.environment, strategy: group.strategy, urls }
    }

    fn cell(&self) -> String {
        let prefix = if self.environment == Environment::Sandbox { "sandbox " } else { "" };
        let suffix = match self.strategy {
            Strategy::Single => "",
            Strategy::LoadBalance => " (load balance)",
            Strategy::Failover => " (failover)",
        };
        format!("{prefix}{}{suffix}", self.urls.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tollgate_plan::Source;

    fn needs(filter: &str, scopes: &[&str]) -> Credential {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Credential { filter: filter.to_owned(), scheme: String::new(), scopes, declared: BTreeMap::new(), source: Source::default() }
    }

    fn security(alternatives: Vec<Vec<Credential>>, waived: &[&str]) -> Security {
        let alternatives = alternatives.into_iter().map(|credentials| Alternative { credentials }).collect();
        Security { alternatives, waived: waived.iter().map(|id| (*id).to_owned()).collect(), source: Source::default() }
    }

    #[test]
    fn who_may_call_reads_as_a_sentence() {
        assert_eq!(who(&security(vec![], &[])), "open");
        assert_eq!(who(&security(vec![], &["basic_auth"])), "open (waived basic_auth)");
        assert_eq!(who(&security(vec![vec![needs("jwt", &["a", "b"])]], &[])), "token (scopes a b)");
        let either = security(vec![vec![needs("jwt", &[]), needs("mtls", &[])], vec![needs("api_key", &[])], vec![]], &[]);
        assert_eq!(who(&either), "token and mtls or api_key or anonymous");
    }
}
