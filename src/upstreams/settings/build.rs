//! The Plan's groups and the environment's settings become groups that can be used.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use tollgate_document::nearest;
use tollgate_filter_api::{Problem, Problems};
use tollgate_pem::FileError;
use tollgate_plan::{self as plan, EndpointGroup, Environment, Plan};

use super::{
    credentials,
    parts::{Part, parts},
    policy,
    said::{EVERY, Origin, Said, Settings, at_source, pointer},
    siblings,
    template::{Template, Unfit},
    timeouts::timeouts,
    trust::{Identity, UpstreamTrust},
};
use crate::{
    config::{Gateway, KeyPair, UpstreamHttp},
    upstreams::{Factory, Group, Target},
};

/// What upstreams are made from.
pub struct Inputs<'a> {
    /// The Plan.
    pub plan: &'a Plan,
    /// The configuration; its paths are used as they stand.
    pub gateway: &'a Gateway,
    /// Name under which problems blame the configuration.
    pub file: &'a str,
    /// Looks up a variable in the reference product's spelling, such as `pets_prod_endpoint_0`.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
}

/// A group, and what its endpoints consist of.
type Built<C> = (Arc<Group<C>>, Vec<Part>);

/// Every group of the Plan, or every problem.
pub fn groups<C>(inputs: &Inputs<'_>, factory: &Arc<Factory<C>>) -> Result<Vec<Built<C>>, Problems> {
    let mut problems = override_problems(inputs);
    problems.0.extend(dangling(inputs.plan));
    let mut builder = Builder { inputs, problems, trusts: HashMap::new(), identities: HashMap::new() };
    let groups: Vec<_> = inputs.plan.endpoints.iter().map(|group| builder.group(group, factory)).collect();
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
        let discovered = entry.discovery.as_ref();
        let sides = [
            (Environment::Production, "production", entry.production.is_some()),
            (Environment::Sandbox, "sandbox", entry.sandbox.is_some()),
            (Environment::Production, "discovery/production", discovered.is_some_and(|discovered| discovered.production.is_some())),
            (Environment::Sandbox, "discovery/sandbox", discovered.is_some_and(|discovered| discovered.sandbox.is_some())),
        ];
        for (environment, member, written) in sides {
            if written && !inputs.plan.endpoints.iter().any(|group| group.name == *name && group.environment == environment) {
                let side = member.rsplit('/').next().unwrap_or(member);
                let problem = Problem::error("upstream.override", format!("endpoint group `{name}` has no {side} side to replace"));
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
    trusts: HashMap<PathBuf, Result<Arc<UpstreamTrust>, FileError>>,
    identities: HashMap<(PathBuf, PathBuf), Result<Arc<Identity>, FileError>>,
}

/// Who said what an endpoint may be unfit for.
struct Blamed<'a> {
    server_name: Option<Origin<'a>>,
    head_timeout: Option<Origin<'a>>,
}

impl<'a> Builder<'a> {
    fn group<C>(&mut self, group: &'a EndpointGroup, factory: &Arc<Factory<C>>) -> Built<C> {
        let settings = Settings::of(self.inputs, group);
        let (template, blamed) = self.template(group, &settings);
        let mut urls = settings.targets();
        if group.strategy == plan::Strategy::Single && group.urls.len() > 1 {
            urls.truncate(1);
        }
        if urls.is_empty() {
            let message = format!("endpoint group `{}` is left without a URL", group.name);
            self.problems.push(Problem::error("upstream.url", message).at(self.inputs.file, 0, pointer(&group.name, "")));
        }
        let mut wrong = Vec::new();
        let policy = policy::Reader { inputs: self.inputs, settings: &settings, problems: &mut wrong }.policy(group);
        self.problems.0.extend(wrong);
        let siblings = siblings::Reader { inputs: self.inputs, group, template: &template, policy: &policy, factory };
        let (canary, mirror) = siblings.read(&mut self.problems);
        let mut built = Group::new(template, group.environment, policy, factory.clone());
        (built.canary, built.mirror) = (canary, mirror);
        built.plain = !built.has_siblings() && !built.policy().balancing.is_personal();
        let parts = parts(self.inputs, &settings, &urls).unwrap_or_else(|problems| {
            self.problems.0.extend(problems);
            Vec::new()
        });
        let targets: Vec<_> = urls.iter().map(|url| url.value.clone()).collect();
        let unfit = built.replace(&targets).err().unwrap_or_default();
        self.blame(&group.name, &urls, &blamed, &unfit);
        (Arc::new(built), parts)
    }

    /// Says who is to blame for what is wrong with URLs; a time that is not kept is one problem, however many URLs do not keep it.
    fn blame(&mut self, group: &str, urls: &[Said<'_, Target>], blamed: &Blamed<'_>, unfit: &[(usize, Unfit)]) {
        let mut reported = false;
        for (index, reason) in unfit {
            let by = match reason {
                Unfit::HeadTimeout if std::mem::replace(&mut reported, true) => continue,
                Unfit::HeadTimeout => blamed.head_timeout.as_ref(),
                Unfit::ServerName(_) => blamed.server_name.as_ref(),
                Unfit::Url(_) => None,
            };
            self.problems.push(by.unwrap_or(&urls[*index].by).blame(self.inputs, reason.problem(group)));
        }
    }

    fn template(&mut self, group: &'a EndpointGroup, settings: &Settings<'a>) -> (Template, Blamed<'a>) {
        let defaults = &self.inputs.gateway.upstream;
        let authorization = credentials::authorization(self.inputs, group, settings);
        let (timeouts, head_timeout) = timeouts(self.inputs, settings, group.guards.as_ref());
        let http = if group.http2 { UpstreamHttp::Two } else { defaults.http };
        let server_name = settings.entry("server_name", |entry| entry.server_name.as_ref());
        let template = Template {
            group: group.name.as_str().into(),
            http: settings.entry("http", |entry| entry.http).map_or(http, |said| said.value),
            preserve_host: settings.entry("preserve_host", |entry| entry.preserve_host).map_or(defaults.preserve_host, |said| said.value),
            server_name: server_name.as_ref().map(|said| said.value.clone()),
            ca: self.trust(settings),
            identity: self.identity(settings),
            authorization: authorization.unwrap_or_else(|problem| {
                self.problems.push(problem);
                None
            }),
            timeouts,
            head_before_silence: head_timeout.is_some(),
        };
        (template, Blamed { server_name: server_name.map(|said| said.by), head_timeout })
    }

    fn trust(&mut self, settings: &Settings<'a>) -> Option<Arc<UpstreamTrust>> {
        let general = self.inputs.gateway.upstream.ca.as_ref().map(|value| Said { value, by: Origin::Setting("/upstream/ca".into()) });
        let said = settings.entry("ca", |entry| entry.ca.as_ref()).or(general)?;
        let read = self.trusts.entry(said.value.clone()).or_insert_with(|| UpstreamTrust::read(said.value).map(Arc::new)).clone();
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

    fn or_blame<T>(&mut self, read: Result<T, FileError>, code: &'static str, by: &Origin<'_>) -> Option<T> {
        read.map_err(|error| self.problems.push(by.error(self.inputs, code, error.to_string()))).ok()
    }
}
