//! One definition to one API of the Plan.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use tollgate_document::Shape;
use tollgate_filter_api::{Problem, Problems, Severity};
use tollgate_plan::{Api, Environment, Operation, Security, Source, Target, Transports};

use crate::declarations::{self, Declarations, deprecation::Ends};
use crate::demands::{self, Demands};
use crate::endpoints::{self, Endpoints, Groups};
use crate::extensions::{self, GENERIC, HOSTS, Level};
use crate::input::sources::short;
use crate::input::spot::Spot;
use crate::interceptors::Interceptors;
use crate::model::{self, Definition, PathItem};
use crate::policies::{self, Policies, UNLIMITED};
use crate::rules::{self, Rules};
use crate::{paths::template, security};

/// What all APIs of a project share.
pub(crate) struct Project<'p> {
    /// `None` when there is no policies.yaml to judge by.
    pub policies: Option<&'p Policies>,
    pub throttle_waived: bool,
    /// URL for operations without endpoints, and where it was written.
    pub endpoint: Option<(String, Option<Source>)>,
    /// How bad it is that an operation has no endpoint.
    pub missing_endpoint: Severity,
    /// IDs of the filters that answer in place of an endpoint.
    pub answers: &'p [&'static str],
    pub groups: Groups,
    pub rules: Rules<'p>,
    pub interceptors: Interceptors<'p>,
    pub problems: Problems,
}

struct Assembly<'x, 'a> {
    project: &'x mut Project<'a>,
    definition: &'x Definition<'a>,
    name: String,
    named: endpoints::NamedEndpoints<'a>,
    production: Endpoints,
    sandbox: Endpoints,
    /// Settings that the API gives to filters of every operation.
    common: Demands,
    /// What it says to them of every operation.
    declared: Declarations,
    /// What it says of the end of every operation.
    ends: Ends<'a>,
    /// The first operation that is deprecated without a date.
    undated: Option<Problem>,
    tier: Option<(String, Spot<'a>)>,
    mutual: Option<security::Mutual<'a>>,
    homeless: Vec<(String, Spot<'a>)>,
}

/// Methods that one shape of path has, and where.
#[derive(Default)]
struct Path<'a> {
    methods: BTreeMap<String, Spot<'a>>,
    templates: BTreeMap<&'a str, Spot<'a>>,
}

/// What the path items of an API come to.
#[derive(Default)]
struct Collected<'a> {
    /// By the shape of their templates.
    paths: BTreeMap<String, Path<'a>>,
    operations: Vec<Operation>,
    ids: HashSet<String>,
}

/// Assembles the API of one definition; what is wrong is added to the project's problems.
pub(crate) fn assemble<'a>(project: &mut Project<'a>, definition: &Definition<'a>, base_path: String, hosts: Vec<String>) -> Api {
    let root = &definition.root;
    if definition.truncated {
        project.problems.push(root.error("definition.too_large", "there are more operations than any gateway serves"));
    }
    extensions::check(root, Level::Api, definition.lenient, &mut project.problems);
    let mutual = security::Mutual::read(root, &mut project.problems);
    let mandatory = mutual.as_ref().is_some_and(|mutual| mutual.mandatory);
    let transports = transports(root, mandatory, &mut project.problems);
    let name = format!("{}:{}", definition.title, definition.version_text);
    let mut declared = Declarations::default();
    declared.response_cache(root, &mut project.problems);
    let tier = declarations::tier(root, &mut project.problems).filter(|(name, _)| name != UNLIMITED);
    let mut named = endpoints::NamedEndpoints::new(root, &mut project.problems);
    let mut reader =
        endpoints::Reader { named: &mut named, groups: &mut project.groups, http2: definition.grpc, problems: &mut project.problems };
    reader.check_named();
    let production = match reader.at(root, Environment::Production, &name) {
        Endpoints::Nothing => reader.of_servers(&definition.servers, &name),
        found => found,
    };
    let sandbox = reader.at(root, Environment::Sandbox, &name);
    let ends = Ends::default().within(root, &mut project.problems);
    let mut assembly = Assembly {
        project,
        definition,
        name,
        named,
        production,
        sandbox,
        common: Demands::default(),
        declared,
        ends,
        undated: None,
        tier,
        mutual,
        homeless: Vec::new(),
    };
    let mut operations = assembly.operations();
    assembly.report_homeless();
    let undated = assembly.undated.take();
    project.problems.0.extend(undated);
    let auth_header = auth_header(root, &mut project.problems);
    if let Some(header) = &auth_header {
        operations.iter_mut().for_each(|operation| security::rename_header(&mut operation.security, header));
    }
    Api {
        title: definition.title.clone(),
        version: definition.version_text.clone(),
        base_path,
        transports,
        auth_header,
        hosts,
        routes: false,
        whole_path: definition.grpc,
        owner: root.text("x-wso2-owner").filter(|owner| !owner.is_empty()),
        operations,
        source: root.source(),
    }
}

fn transports(root: &Spot<'_>, mandatory_tls: bool, problems: &mut Problems) -> Transports {
    let Some(spot) = root.get("x-wso2-transports") else { return Transports { http: true, https: true } };
    let mut transports = Transports { http: false, https: mandatory_tls };
    for item in spot.items() {
        match item.node.text().unwrap_or_default().to_ascii_lowercase().as_str() {
            "http" => transports.http = true,
            "https" => transports.https = true,
            other => {
                let message = format!("`{}` is not one of http, https", short(other));
                problems.push(item.error("extension.value", message));
            }
        }
    }
    if !spot.is(Shape::Array) || !(transports.http || transports.https) {
        problems.push(spot.error("extension.value", "`x-wso2-transports` must list http, https or both"));
    }
    transports
}

/// The hosts that the API answers to; none when nothing is said. What a host may look like is for the router.
pub(crate) fn hosts(root: &Spot<'_>, problems: &mut Problems) -> Vec<String> {
    let Some(spot) = root.get(HOSTS) else { return Vec::new() };
    let texts: Vec<String> = spot.items().filter_map(|item| item.node.as_str().map(str::to_owned)).collect();
    if !spot.is(Shape::Array) || texts.is_empty() || texts.len() != spot.items().count() {
        let problem = spot.error("extension.value", format!("`{HOSTS}` must be a list of hosts"));
        problems.push(problem.hint("write `[api.example, \"*.api.example\"]`, without ports"));
    }
    texts
}

fn auth_header(root: &Spot<'_>, problems: &mut Problems) -> Option<String> {
    let spot = root.get("x-wso2-auth-header")?;
    let name = spot.node.text().unwrap_or_default();
    if crate::structure::text::is_token(&name) {
        return Some(name);
    }
    problems.push(spot.error("extension.value", format!("`{}` is not the name of a header", short(&name))));
    None
}

impl<'a> Assembly<'_, 'a> {
    fn problem(&mut self, problem: Problem) {
        self.project.problems.push(problem);
    }

    fn operations(&mut self) -> Vec<Operation> {
        let definition = self.definition;
        demands::cors(&definition.root, &mut self.common, &mut self.project.problems);
        self.common.generic(&definition.root, &mut self.project.problems);
        let security = security::Reader::new(definition, &mut self.project.problems);
        let mut found = Collected::default();
        for item in &definition.paths {
            if !self.path_item(item, &security, &mut found) {
                let message = "what the definition repeats for each operation makes the Plan too large";
                self.problem(definition.root.error("plan.too_large", message));
                break;
            }
        }
        let Collected { paths, mut operations, .. } = found;
        for path in paths.values() {
            self.equivalent(path);
            if !definition.grpc {
                operations.extend(self.options(path));
            }
        }
        operations.sort_by(|a, b| (&a.template, &a.method).cmp(&(&b.template, &b.method)));
        operations
    }

    /// Gathers the operations of a path item. `false` when the Plan has grown too large.
    fn path_item(&mut self, item: &PathItem<'a>, security: &security::Reader<'_, 'a>, found: &mut Collected<'a>) -> bool {
        let template = match template::parse(item.template) {
            Ok(template) => template,
            Err(reason) => {
                let message = format!("the template `{}` {reason}", short(item.template));
                self.problem(item.spot.error("template.form", message));
                return true;
            }
        };
        for level in &item.levels {
            extensions::check(level, Level::Path, self.definition.lenient, &mut self.project.problems);
        }
        let ends = item.levels.iter().rev().fold(self.ends.clone(), |ends, level| ends.within(level, &mut self.project.problems));
        self.parameters(item, &template.parameters);
        let known = found.paths.entry(template.shape).or_default();
        known.templates.insert(item.template, item.spot.clone());
        for operation in &item.operations {
            if operation.method == "TRACE" || operation.method == "CONNECT" {
                let message = format!("{} operations are not served", operation.method);
                self.problem(operation.spot.warning("operation.ignored", message));
                continue;
            }
            if let Some(first) = known.methods.get(&operation.method) {
                self.problem(ambiguous(item, &operation.method, first));
                continue;
            }
            known.methods.insert(operation.method.clone(), operation.spot.clone());
            let id = operation.spot.text("operationId").filter(|id| !found.ids.contains(id));
            let id = id.unwrap_or_else(|| format!("{} {}", operation.method, item.template));
            found.ids.insert(id.clone());
            let mut allowed = security.operation(&operation.spot, &mut self.project.problems);
            if let Some(mutual) = &self.mutual {
                mutual.add_to(&mut allowed);
            }
            let operation = self.operation(item, operation, id, allowed, &ends);
            if !self.project.groups.charge(weight(&operation)) {
                return false;
            }
            found.operations.push(operation);
        }
        true
    }

    fn operation(
        &mut self,
        item: &PathItem<'a>,
        operation: &model::Operation<'a>,
        id: String,
        security: Security,
        ends: &Ends<'a>,
    ) -> Operation {
        let spot = &operation.spot;
        extensions::check(spot, Level::Operation, self.definition.lenient, &mut self.project.problems);
        let target = self.target(item, operation);
        let (mut demands, mut declared) = (self.common.clone(), self.declared.clone());
        let problems = &mut self.project.problems;
        declared.media_types(&operation.media_types, spot.source());
        self.project.interceptors.read(&self.definition.root, &mut declared, problems);
        self.project.interceptors.read(spot, &mut declared, problems);
        let ends = ends.within(spot, problems);
        declared.ends(&ends);
        if self.undated.is_none() {
            self.undated = ends.undated(spot);
        }
        self.throttle(spot, &mut declared);
        for level in item.levels.iter().rev() {
            demands.generic(level, &mut self.project.problems);
        }
        demands.generic(spot, &mut self.project.problems);
        if !demands.switches_off(rules::FILTER) {
            self.rules(item, operation, &mut declared);
        }
        Operation {
            id,
            method: operation.method.clone(),
            template: item.template.to_owned(),
            target,
            security,
            conditions: Vec::new(),
            body_bytes: None,
            demands: demands.finish(),
            declarations: declared.finish(),
            source: spot.source(),
        }
    }

    /// What is said of the operation's messages. Those of gRPC are not described in a way that could be held against them.
    fn rules(&mut self, item: &PathItem<'a>, operation: &model::Operation<'a>, declared: &mut Declarations) {
        if !self.definition.grpc {
            let rules = self.project.rules.operation(self.definition, item, operation);
            declared.rules(&rules, operation.spot.source());
        }
    }

    /// The tier of the API makes those of operations ineffective, but those of a service's methods.
    fn throttle(&mut self, spot: &Spot<'a>, declared: &mut Declarations) {
        let own = declarations::tier(spot, &mut self.project.problems);
        let common = self.tier.clone().filter(|_| !(self.definition.grpc && own.is_some()));
        let (level, policy, place) = match (common, own) {
            (Some((policy, place)), own) => {
                if let Some((_, ineffective)) = own {
                    let message = "the tier of the API makes this one ineffective";
                    self.problem(ineffective.warning("policy.ineffective", message));
                }
                ("api", policy, place)
            }
            (None, Some((policy, place))) if policy != UNLIMITED => ("resource", policy, place),
            _ => return,
        };
        if let Some(policies) = self.project.policies {
            let waived = self.project.throttle_waived;
            let problem = policies::check_resource(policies, &policy, &place, waived);
            self.project.problems.0.extend(problem);
        }
        declared.tier(level, &policy, place.source());
    }

    fn target(&mut self, item: &PathItem<'a>, operation: &model::Operation<'a>) -> Target {
        let name = format!("{}:{} {}", self.name, operation.method, item.template);
        let path_name = format!("{}:{}", self.name, item.template);
        let mut reader = self.endpoints();
        let mut production = reader.at(&operation.spot, Environment::Production, &name);
        if matches!(production, Endpoints::Nothing) {
            production = reader.of_servers(&operation.servers, &name);
        }
        if matches!(production, Endpoints::Nothing) {
            production = reader.of_servers(&item.servers, &path_name);
        }
        let sandbox = reader.at(&operation.spot, Environment::Sandbox, &name);
        let (production, first) = or(&production, &self.production);
        let (sandbox, second) = or(&sandbox, &self.sandbox);
        if production.is_none() && sandbox.is_none() && !first && !second {
            return self.fallback(item, operation);
        }
        Target::Endpoints { production, sandbox }
    }

    fn endpoints(&mut self) -> endpoints::Reader<'_, 'a> {
        let project = &mut *self.project;
        let (named, groups, http2) = (&mut self.named, &mut project.groups, self.definition.grpc);
        endpoints::Reader { named, groups, http2, problems: &mut project.problems }
    }

    fn fallback(&mut self, item: &PathItem<'a>, operation: &model::Operation<'a>) -> Target {
        let production = match self.project.endpoint.clone() {
            Some((url, source)) => {
                let (root, name) = (self.definition.root.source(), self.name.clone());
                Some(self.endpoints().single(&url, source.unwrap_or(root), &name))
            }
            None if self.is_answered(item, operation) => None,
            None => {
                self.homeless.push((operation.method.clone(), operation.spot.clone()));
                None
            }
        };
        Target::Endpoints { production, sandbox: None }
    }

    /// Whether a filter that answers by itself is demanded, at any level.
    fn is_answered(&self, item: &PathItem<'a>, operation: &model::Operation<'a>) -> bool {
        let demands = |spot: &Spot<'a>| {
            let mut filters = spot.entries().filter_map(|(key, _)| key.strip_prefix(GENERIC));
            filters.any(|filter| self.project.answers.contains(&filter))
        };
        demands(&operation.spot) || item.levels.iter().any(&demands) || demands(&self.definition.root)
    }

    fn report_homeless(&mut self) {
        let Some((_, first)) = self.homeless.first() else { return };
        let all: usize = self.definition.paths.iter().map(|p| p.operations.len()).sum();
        let message = match (self.homeless.len(), all) {
            (1, 2..) => "this operation has no endpoint, and the API has none".to_owned(),
            (some, all) if some < all => {
                format!("{some} of {all} operations have no endpoint, this one is the first, and the API has none")
            }
            _ => "no operation has an endpoint, and the API has none".to_owned(),
        };
        let place = if self.homeless.len() == all { &self.definition.root } else { first };
        if self.definition.grpc {
            let hint =
                "add `option (wso2.production_endpoints) = { url: \"https://…\" };` to the service, or give an endpoint to the build";
            let problem = Problem { severity: self.project.missing_endpoint, ..place.error("endpoint.missing", message) };
            return self.problem(problem.hint(hint));
        }
        let relative = self.definition.servers.iter().any(|s| !crate::paths::url::is_absolute_http(&s.url));
        let why = if relative { "the servers of the document are relative; " } else { "" };
        let hint = format!("{why}add `x-wso2-production-endpoints: {{urls: [https://…]}}`, or give an endpoint to the build");
        let problem = Problem { severity: self.project.missing_endpoint, ..place.error("endpoint.missing", message) };
        self.problem(problem.hint(hint));
    }

    /// Parameters in the path: declared and in the template, both ways.
    fn parameters(&mut self, item: &PathItem<'a>, names: &[&str]) {
        let in_template: HashSet<&str> = names.iter().copied().collect();
        let mut stray: Vec<&(String, Spot<'a>)> = Vec::new();
        if !item.operations.is_empty() {
            stray.extend(item.path_parameters.iter().filter(|(name, _)| !in_template.contains(name.as_str())));
        }
        let inherited: HashSet<&str> = item.path_parameters.iter().map(|(name, _)| name.as_str()).collect();
        for operation in &item.operations {
            let own: HashSet<&str> = operation.path_parameters.iter().map(|(name, _)| name.as_str()).collect();
            for name in names.iter().filter(|name| !own.contains(*name) && !inherited.contains(*name)) {
                let message = format!("the path parameter `{}` is not declared", short(name));
                self.problem(self.definition.strict(operation.spot.error("parameter.undeclared", message)));
            }
            stray.extend(operation.path_parameters.iter().filter(|(name, _)| !in_template.contains(name.as_str())));
        }
        for (name, spot) in stray {
            let message = format!("the path parameter `{}` is not in `{}`", short(name), short(item.template));
            self.problem(self.definition.strict(spot.error("parameter.not_in_path", message)));
        }
    }

    /// Warns of templates that differ only in names but share no method.
    fn equivalent(&mut self, path: &Path<'a>) {
        let mut templates = path.templates.iter();
        let Some((first, _)) = templates.next() else { return };
        for (template, spot) in templates {
            let message = format!("`{}` matches the same paths as `{}`", short(template), short(first));
            self.problem(spot.warning("template.equivalent", message).hint("spell them alike and give their parameters the same names"));
        }
    }

    /// The answer to OPTIONS on a path that does not declare it.
    fn options(&self, path: &Path<'a>) -> Option<Operation> {
        let (template, spot) = path.templates.iter().next()?;
        if path.methods.is_empty() || path.methods.contains_key("OPTIONS") {
            return None;
        }
        let mut allow: BTreeSet<String> = path.methods.keys().cloned().collect();
        allow.insert("OPTIONS".to_owned());
        let id = format!("OPTIONS {template}");
        let mut demands = self.common.clone().finish();
        demands.retain(|d| d.filter == "cors");
        Some(Operation {
            id,
            method: "OPTIONS".to_owned(),
            template: (*template).to_owned(),
            target: Target::Options { allow: allow.into_iter().collect() },
            security: security::open(spot),
            conditions: Vec::new(),
            body_bytes: None,
            demands,
            declarations: Vec::new(),
            source: spot.source(),
        })
    }
}

/// The operation's endpoints or else the API's, and whether something was written that is broken.
fn or(own: &Endpoints, api: &Endpoints) -> (Option<u32>, bool) {
    match (own, api) {
        (Endpoints::Group(index), _) | (Endpoints::Nothing, Endpoints::Group(index)) => (Some(*index), false),
        (Endpoints::Nothing, Endpoints::Nothing) => (None, false),
        (Endpoints::Broken, _) | (Endpoints::Nothing, Endpoints::Broken) => (None, true),
    }
}

fn ambiguous(item: &PathItem<'_>, method: &str, first: &Spot<'_>) -> Problem {
    let message = format!("{method} `{}` matches the same paths as another template", short(item.template));
    let hint = format!("the other is in {} on line {} ({})", first.node.document().name(), first.node.line(), first.pointer);
    item.spot.error("template.ambiguous", message).hint(hint)
}

/// Bytes of an operation in the Plan, roughly.
fn weight(operation: &Operation) -> usize {
    let settings = |value: &Value| demands::weight(value);
    let demands: usize = operation.demands.iter().map(|d| 200 + d.source.pointer.len() + settings(&d.settings)).sum();
    let credentials = operation.security.alternatives.iter().flat_map(|a| &a.credentials);
    let security: usize = credentials
        .map(|c| {
            let scopes: usize = c.scopes.iter().map(|s| 24 + s.len()).sum();
            200 + c.source.pointer.len() + scopes + c.declared.values().map(settings).sum::<usize>()
        })
        .sum();
    let declared: usize = operation.declarations.iter().map(|d| 200 + d.source.pointer.len() + settings(&d.content)).sum();
    200 + operation.id.len() + operation.template.len() + 2 * operation.source.pointer.len() + demands + declared + security
}
