//! What the environment says about a group, the nearest word first: a variable in the reference product's spelling, the
//! group's own entry in `endpoints`, the entry `*`, `upstream`.

use tollgate_filter_api::Problem;
use tollgate_plan::{EndpointGroup, EndpointUrl, Environment, Plan, Source};

use super::{build::Inputs, siblings::target};
use crate::{
    config::{Discovery, EndpointOverride, EndpointTarget},
    upstreams::Target,
};

/// The entry of `endpoints` that stands for every group.
pub const EVERY: &str = "*";

/// Who said something.
#[derive(Clone, Debug)]
pub enum Origin<'a> {
    /// A definition.
    Definition(&'a Source),
    /// The configuration file, at this pointer.
    Setting(String),
    /// A variable of that name.
    Variable(String),
}

impl Origin<'_> {
    /// An error that blames the one who said it.
    pub fn error(&self, inputs: &Inputs<'_>, code: &'static str, message: impl Into<String>) -> Problem {
        self.blame(inputs, Problem::error(code, message))
    }

    /// Blames a problem on the one who said it.
    pub fn blame(&self, inputs: &Inputs<'_>, problem: Problem) -> Problem {
        match self {
            Self::Definition(source) => at_source(problem, inputs.plan, source),
            Self::Setting(pointer) => problem.at(inputs.file, 0, pointer.clone()),
            Self::Variable(name) => Problem { message: format!("{}: {}", name, problem.message), ..problem },
        }
    }
}

/// Says that a node of the Plan is to blame.
pub fn at_source(problem: Problem, plan: &Plan, source: &Source) -> Problem {
    let file = plan.documents.get(source.document as usize).map_or("", |document| &document.path);
    problem.at(file, source.line, source.pointer.clone())
}

/// The pointer of a member of a group's entry, or of one below it.
pub fn pointer(group: &str, member: &str) -> String {
    format!("{}/{member}", tollgate_filter_api::pointer::join("/endpoints", group))
}

/// A value and who said it.
pub struct Said<'a, T> {
    pub value: T,
    pub by: Origin<'a>,
}

/// The environment's word on one group.
pub struct Settings<'a> {
    inputs: &'a Inputs<'a>,
    group: &'a EndpointGroup,
}

impl<'a> Settings<'a> {
    pub fn of(inputs: &'a Inputs<'a>, group: &'a EndpointGroup) -> Self {
        Self { inputs, group }
    }

    /// The nearest entry of `endpoints` that has the member.
    pub fn entry<T>(&self, member: &str, get: impl Fn(&'a EndpointOverride) -> Option<T>) -> Option<Said<'a, T>> {
        [self.group.name.as_str(), EVERY].into_iter().find_map(|name| {
            let value = get(self.inputs.gateway.endpoints.get(name)?)?;
            Some(Said { value, by: Origin::Setting(pointer(name, member)) })
        })
    }

    /// The variable `<group>_prod_<rest>` or `<group>_sand_<rest>`.
    pub fn variable(&self, rest: &str) -> Option<Said<'a, String>> {
        let name = self.variable_name(rest);
        (self.inputs.variables)(&name).map(|value| Said { value, by: Origin::Variable(name) })
    }

    /// How that variable is spelt.
    pub fn variable_name(&self, rest: &str) -> String {
        let environment = match self.group.environment {
            Environment::Production => "prod",
            Environment::Sandbox => "sand",
        };
        format!("{}_{environment}_{rest}", self.group.name)
    }

    /// Where the endpoints come from while the gateway runs, as the group's own entry says.
    pub fn discovery(&self) -> Option<Said<'a, &'a Discovery>> {
        let (side, member) = match self.group.environment {
            Environment::Production => ("production", "discovery/production"),
            Environment::Sandbox => ("sandbox", "discovery/sandbox"),
        };
        let discovered = self.inputs.gateway.endpoints.get(&self.group.name)?.discovery.as_ref()?;
        let said = if side == "production" { &discovered.production } else { &discovered.sandbox };
        said.as_ref().map(|value| Said { value, by: Origin::Setting(pointer(&self.group.name, member)) })
    }

    /// The keys of etcd that may replace the URLs, in order: the definition's, single ones replaced by variables. The configuration's URLs have none.
    pub fn keys(&self) -> Vec<Option<Said<'a, String>>> {
        if self.listed().is_some() {
            return Vec::new();
        }
        let key = |(index, url): (usize, &'a EndpointUrl)| {
            let key = url.etcd_key.clone().map(|value| Said { value, by: Origin::Definition(&url.source) })?;
            Some(self.variable(&format!("{index}_etcdKey")).unwrap_or(key))
        };
        self.group.urls.iter().enumerate().map(key).collect()
    }

    fn listed(&self) -> Option<Said<'a, &'a Vec<EndpointTarget>>> {
        match self.group.environment {
            Environment::Production => self.entry("production", |entry| entry.production.as_ref()),
            Environment::Sandbox => self.entry("sandbox", |entry| entry.sandbox.as_ref()),
        }
    }

    /// The endpoints, in order: the configuration's list or else the definition's, single ones replaced by variables.
    pub fn targets(&self) -> Vec<Said<'a, Target>> {
        let targets: Vec<_> = match self.listed() {
            Some(Said { value, by }) => value.iter().map(|listed| Said { value: target(listed), by: by.clone() }).collect(),
            None => self.group.urls.iter().map(|url| Said { value: Target::new(&url.url), by: Origin::Definition(&url.source) }).collect(),
        };
        let replaced = |(i, target): (usize, Said<'a, Target>)| match self.variable(&format!("endpoint_{i}")) {
            Some(Said { value, by }) => Said { value: Target { url: value, ..target.value }, by },
            None => target,
        };
        targets.into_iter().enumerate().map(replaced).collect()
    }
}
