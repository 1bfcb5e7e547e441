//! The Plan's groups and the environment's settings become groups that can be used.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use http::HeaderValue;
use tollgate_document::nearest;
use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{self as plan, EndpointGroup, Environment, Plan, Strategy};

use super::{
    Group, Identity, Resolver, Target, Timeouts, Trust, credentials,
    settings::{EVERY, Origin, Said, Settings, at_source, pointer},
    target::Place,
    timeouts::{timeouts, unkept},
    trust::PoolIdentity,
    url::{self, Endpoint},
};
use crate::config::{Gateway, KeyPair, UpstreamHttp};

/// What upstreams are made from.
pub struct Inputs<'a> {
    /// The Plan.
    pub plan: &'a Plan,
    /// The configuration; its paths are used as they stand.
    pub gateway: &'a Gateway,
    /// Name under which problems blame the configuration.
    pub file: &'a str,
    /// Who keeps names resolved.
    pub resolver: &'a dyn Resolver,
    /// Looks up a variable in the reference product's spelling, such as `pets_prod_endpoint_0`.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
}

/// Every group of the Plan, or every problem.
pub(super) fn groups(inputs: &Inputs<'_>) -> Result<Vec<Arc<Group>>, Problems> {
    let mut problems = override_problems(inputs);
    problems.0.extend(dangling(inputs.plan));
    let mut builder = Builder { inputs, problems, trusts: HashMap::new(), identities: HashMap::new() };
    let groups: Vec<_> = inputs.plan.endpoints.iter().map(|group| Arc::new(builder.group(group))).collect();
    let problems = builder.problems.sorted();
    if problems.has_errors() { Err(problems) } else { Ok(groups) }
}

/// Operations that refer to a group the Plan does not have: no compiler writes that, a hand does.
fn dangling(plan: &Plan) -> impl Iterator<Item = Problem> {
    let operations = plan.apis.iter().flat_map(|api| &api.operations);
    operations.filter_map(|operation| {
        let plan::Target::Endpoints { production, sandbox } = &operation.target else { return None };
        let missing = [production, sandbox].into_iter().flatten().find(|index| **index as usize >= plan.endpoints.len())?;
        let message = format!("operation `{}` refers to endpoint group number {missing}, which the Plan does not have", operation.id);
        Some(at_source(Problem::error("upstream.group", message), plan, &operation.source))
    })
}

/// Entries of `endpoints` that change nothing: a slip in a name must not leave the definition's address in force.
fn override_problems(inputs: &Inputs<'_>) -> Problems {
    let mut problems = Problems::default();
    let mut names: Vec<&str> = inputs.plan.endpoints.iter().map(|group| group.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for (name, entry) in inputs.gateway.endpoints.iter().filter(|(name, _)| *name != EVERY) {
        if !names.contains(&name.as_str()) {
            let problem = Problem::error("upstream.override", format!("there is no endpoint group `{name}`"));
            problems.push(problem.at(inputs.file, 0, pointer(name, "").trim_end_matches('/')).hint(known(name, &names)));
            continue;
        }
        let sides = [
            (Environment::Production, "production", entry.production.is_some()),
            (Environment::Sandbox, "sandbox", entry.sandbox.is_some()),
        ];
        for (environment, member, written) in sides {
            if written && !inputs.plan.endpoints.iter().any(|group| group.name == *name && group.environment == environment) {
                let problem = Problem::error("upstream.override", format!("endpoint group `{name}` has no {member} side to replace"));
                problems.push(problem.at(inputs.file, 0, pointer(name, member)));
            }
        }
    }
    problems
}

/// The name that was meant, or all there are.
fn known(name: &str, names: &[&str]) -> String {
    const SHOWN: usize = 20;
    if let Some(meant) = nearest(name, names.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    let mut list = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        list.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    format!("the groups are {list}")
}

/// Files are read once, however many groups name them.
struct Builder<'a> {
    inputs: &'a Inputs<'a>,
    problems: Problems,
    trusts: HashMap<PathBuf, Result<Arc<Trust>, String>>,
    identities: HashMap<(PathBuf, PathBuf), Result<Arc<Identity>, String>>,
}

/// What the targets of a group have in common.
struct Common<'a> {
    group: &'a str,
    http: UpstreamHttp,
    preserve_host: bool,
    server_name: Option<Said<'a, &'a String>>,
    ca: Option<Arc<Trust>>,
    identity: Option<Arc<Identity>>,
    authorization: Option<HeaderValue>,
    timeouts: Timeouts,
    /// Who wants the head of an answer sooner than the longest silence.
    impatient: Option<Origin<'a>>,
}

impl<'a> Builder<'a> {
    fn group(&mut self, group: &'a EndpointGroup) -> Group {
        let settings = Settings::of(self.inputs, group);
        let common = self.common(group, &settings);
        let urls = settings.urls();
        if urls.is_empty() {
            let message = format!("endpoint group `{}` is left without a URL", group.name);
            self.problems.push(Problem::error("upstream.url", message).at(self.inputs.file, 0, pointer(&group.name, "")));
        }
        let strategy = match (group.strategy, urls.len()) {
            (_, 0 | 1) => Strategy::Single,
            // The definition had one URL; several that replace it share the load, as several without a type do.
            (Strategy::Single, _) if group.urls.len() == 1 => Strategy::LoadBalance,
            (strategy, _) => strategy,
        };
        let targets: Vec<Target> = urls.iter().filter_map(|url| self.target(url, &common)).collect();
        let tls = targets.iter().any(|target| target.tls);
        let unkept = common.impatient.and_then(|by| unkept(self.inputs, &group.name, &by, common.http, tls));
        self.problems.0.extend(unkept);
        Group::new(group.name.clone(), group.environment, strategy, targets)
    }

    fn common(&mut self, group: &'a EndpointGroup, settings: &Settings<'a>) -> Common<'a> {
        let defaults = &self.inputs.gateway.upstream;
        let authorization = credentials::authorization(self.inputs, group, settings);
        let (timeouts, impatient) = timeouts(self.inputs, settings);
        Common {
            group: &group.name,
            http: settings.entry("http", |entry| entry.http).map_or(defaults.http, |said| said.value),
            preserve_host: settings.entry("preserve_host", |entry| entry.preserve_host).map_or(defaults.preserve_host, |said| said.value),
            server_name: settings.entry("server_name", |entry| entry.server_name.as_ref()),
            ca: self.trust(settings),
            identity: self.identity(settings),
            authorization: authorization.unwrap_or_else(|problem| {
                self.problems.push(problem);
                None
            }),
            timeouts,
            impatient,
        }
    }

    fn trust(&mut self, settings: &Settings<'a>) -> Option<Arc<Trust>> {
        let general = self.inputs.gateway.upstream.ca.as_ref().map(|value| Said { value, by: Origin::Setting("/upstream/ca".into()) });
        let said = settings.entry("ca", |entry| entry.ca.as_ref()).or(general)?;
        let read = self.trusts.entry(said.value.clone()).or_insert_with(|| Trust::read(said.value).map(Arc::new)).clone();
        self.or_blame(read, "upstream.ca", &said.by)
    }

    fn identity(&mut self, settings: &Settings<'a>) -> Option<Arc<Identity>> {
        let general = self.inputs.gateway.upstream.client_certificate.as_ref();
        let general = general.map(|value| Said { value, by: Origin::Setting("/upstream/client_certificate".into()) });
        let said: Said<'_, &KeyPair> = settings.entry("client_certificate", |entry| entry.client_certificate.as_ref()).or(general)?;
        let files = (said.value.certificate.clone(), said.value.key.clone());
        let read = self.identities.entry(files).or_insert_with(|| Identity::read(said.value).map(Arc::new)).clone();
        self.or_blame(read, "upstream.client_certificate", &said.by)
    }

    fn or_blame<T>(&mut self, read: Result<T, String>, code: &'static str, by: &Origin<'_>) -> Option<T> {
        read.map_err(|complaint| self.problems.push(by.error(self.inputs, code, complaint))).ok()
    }

    fn target(&mut self, said: &Said<'_, String>, common: &Common<'_>) -> Option<Target> {
        let endpoint = match url::parse(&said.value) {
            Ok(endpoint) => endpoint,
            Err(complaint) => {
                // The URL itself may hold a password, so it is not repeated.
                let message = format!("a URL of endpoint group `{}` {complaint}", common.group);
                self.problems.push(said.by.error(self.inputs, "upstream.url", message));
                return None;
            }
        };
        let server_name = self.server_name(&endpoint, common, &said.by)?;
        let pool = PoolIdentity {
            group: common.group,
            server_name: &server_name,
            verified: true,
            http: common.http,
            ca: common.ca.as_deref(),
            identity: common.identity.as_deref(),
        };
        let group_key = pool.key();
        Some(Target {
            place: self.place(&endpoint),
            host: endpoint.host,
            port: endpoint.port,
            tls: endpoint.tls,
            server_name,
            host_header: endpoint.host_header,
            preserve_host: common.preserve_host,
            path: endpoint.path,
            query: endpoint.query,
            authorization: common.authorization.clone(),
            http: common.http,
            ca: common.ca.clone(),
            identity: common.identity.clone(),
            timeouts: common.timeouts,
            group_key,
        })
    }

    /// The name to verify. An address is none: sent as an empty name, it would switch verification off.
    fn server_name(&mut self, endpoint: &Endpoint, common: &Common<'_>, url: &Origin<'_>) -> Option<String> {
        let (name, by) = match &common.server_name {
            Some(said) => (said.value.as_str(), &said.by),
            None => (endpoint.host.as_str(), url),
        };
        if !endpoint.tls || is_name(name) {
            return Some(name.to_owned());
        }
        let message =
            format!("endpoint group `{}` is encrypted, but `{name}` is no name that a certificate can be verified for", common.group);
        let hint = format!("write a DNS name in the URL, or set `{}`", pointer(common.group, "server_name"));
        self.problems.push(by.error(self.inputs, "upstream.server_name", message).hint(hint));
        None
    }

    fn place(&self, endpoint: &Endpoint) -> Place {
        match endpoint.host.parse::<IpAddr>() {
            Ok(address) => Place::Literal(SocketAddr::new(address, endpoint.port)),
            Err(_) => Place::Name(self.inputs.resolver.watch(&endpoint.host, endpoint.port)),
        }
    }
}

/// Whether it is a DNS name rather than an address or nothing.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.parse::<IpAddr>().is_err()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !name.split('.').any(str::is_empty)
}
