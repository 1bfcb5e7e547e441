//! The chain with filters of its own: two that check credentials, one that leaves marks, one that needs a caller, one that
//! reads the body.

mod alternatives;
mod answers;
mod building;
mod filters;
mod listing;
mod running;

use std::sync::Arc;

use serde_json::Value;
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{Declared, Env, Metrics, Problems, Readiness, Shared};
use tollgate_plan::{Alternative, Api, Credential, Demand, Operation, Plan, Security, Source, Target, Transports};

use super::{Chain, Inputs, build};
use crate::config::{ChainSpec, Requirements, Waivers};
use crate::stores::{Documents, ServerTrust, SystemClock};

fn env() -> Env {
    let (clock, metrics) = (Arc::new(SystemClock), Metrics::default());
    let world = Arc::new(Documents::new(".", ServerTrust::System, clock.clone(), metrics.clone()));
    Env { clock, world, shared: Shared::default(), metrics, readiness: Readiness::default(), declared: Declared::default() }
}

fn listed(yaml: &str) -> Result<ChainSpec, Problems> {
    let document = Document::parse("gateway.yaml", yaml.as_bytes(), &Limits::default()).unwrap();
    ChainSpec::read(&document, filters::KINDS).map(|spec| spec.unwrap_or_else(|| ChainSpec::default_of(filters::KINDS, "gateway.yaml")))
}

/// A place in the definition.
fn source(line: u32) -> Source {
    Source { document: 0, line, pointer: String::new() }
}

fn credential(filter: &str, scopes: &[&str]) -> Credential {
    Credential {
        filter: filter.to_owned(),
        scheme: String::new(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        declared: Default::default(),
        source: source(7),
    }
}

/// Alternatives from filters' names: each slice is one.
fn any(alternatives: &[&[&str]]) -> Vec<Alternative> {
    let alternative = |filters: &&[&str]| Alternative { credentials: filters.iter().map(|filter| credential(filter, &[])).collect() };
    alternatives.iter().map(alternative).collect()
}

fn demand(filter: &str, settings: Value) -> Demand {
    Demand { filter: filter.to_owned(), settings, source: source(9) }
}

fn plan(alternatives: Vec<Alternative>, demands: Vec<Demand>) -> Plan {
    let operation = Operation {
        id: "read".to_owned(),
        method: "GET".to_owned(),
        template: "/".to_owned(),
        target: Target::Options { allow: Vec::new() },
        security: Security { alternatives, waived: Vec::new(), source: source(5) },
        conditions: Vec::new(),
        body_bytes: None,
        demands,
        declarations: Vec::new(),
        source: source(3),
    };
    let api = Api {
        title: "A".to_owned(),
        version: "1".to_owned(),
        base_path: "/a".to_owned(),
        transports: Transports { http: true, https: true },
        auth_header: None,
        hosts: Vec::new(),
        routes: false,
        whole_path: false,
        owner: None,
        operations: vec![operation],
        source: source(1),
    };
    let document = tollgate_plan::Document { path: "a.yaml".to_owned(), sha256: String::new() };
    Plan { apis: vec![api], documents: vec![document], ..Plan::default() }
}

fn built(plan: &Plan, chain: &str, waive: &[&str]) -> Result<Arc<Chain>, Problems> {
    built_as(Requirements::Exact, plan, chain, waive)
}

fn built_as(requirements: Requirements, plan: &Plan, chain: &str, waive: &[&str]) -> Result<Arc<Chain>, Problems> {
    built_by(requirements, plan, chain, waive, &[])
}

fn built_by(requirements: Requirements, plan: &Plan, chain: &str, waive: &[&str], to_open: &[&str]) -> Result<Arc<Chain>, Problems> {
    let owned = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>();
    let (waive, to_open) = (owned(waive), owned(to_open));
    let waivers = Waivers::new(&waive, &to_open);
    let inputs = Inputs { plan, spec: &listed(chain)?, kinds: filters::KINDS, env: &env(), requirements, waivers };
    build(&inputs).map(|mut chains| chains.remove(0))
}
