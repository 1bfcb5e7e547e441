//! The canary and the mirror of a group, as the configuration says.

use std::sync::Arc;

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{EndpointGroup, Environment};

use super::{
    build::Inputs,
    said::{EVERY, pointer},
    template::Template,
};
use crate::{
    config::{Canary as CanarySettings, EndpointTarget},
    upstreams::{
        Factory, Group, Policy, Target,
        siblings::{Canary, CanaryHeader, Mirror},
    },
};

/// Reads what stands beside one group.
pub struct Reader<'a, C> {
    pub inputs: &'a Inputs<'a>,
    pub group: &'a EndpointGroup,
    pub template: &'a Template,
    pub policy: &'a Policy,
    pub factory: &'a Arc<Factory<C>>,
}

impl<C> Reader<'_, C> {
    /// The canary and the mirror.
    pub fn read(&self, problems: &mut Problems) -> (Option<Canary<C>>, Option<Arc<Mirror<C>>>) {
        let endpoints = &self.inputs.gateway.endpoints;
        if let Some(every) = endpoints.get(EVERY) {
            for (name, written) in [("canary", every.canary.is_some()), ("mirror", every.mirror.is_some())] {
                if written {
                    problems.push(self.wrong(EVERY, name, "it cannot be the same for every group", "write it for a single group"));
                }
            }
        }
        let name = &self.group.name;
        let Some(entry) = endpoints.get(name) else { return (None, None) };
        let canary = entry.canary.as_ref().and_then(|settings| self.canary(settings, problems));
        let mirror = entry.mirror.as_ref().and_then(|settings| {
            for (member, useless) in
                [("percent", settings.percent.0 == 0), ("pending", settings.pending == 0), ("timeout", settings.timeout.0.is_zero())]
            {
                if useless {
                    problems.push(self.wrong(name, &format!("mirror/{member}"), "with 0, nothing is copied", "leave the mirror out"));
                }
            }
            let group = self.sibling("mirror", &settings.production, &settings.sandbox, problems)?;
            let label = group.label();
            Some(Arc::new(Mirror::new(group, settings, &self.factory.metrics, &label)))
        });
        (canary, mirror)
    }

    fn canary(&self, settings: &CanarySettings, problems: &mut Problems) -> Option<Canary<C>> {
        let name = &self.group.name;
        let header = settings.header.as_ref().and_then(|header| {
            let Some(field) = header.field() else {
                problems.push(self.wrong(name, "canary/header/name", &format!("`{}` is no name of a field", header.name), ""));
                return None;
            };
            if header.always == header.never {
                problems.push(self.wrong(name, "canary/header/never", "`always` and `never` are the same", ""));
            }
            Some(CanaryHeader { name: field, always: header.always.clone(), never: header.never.clone() })
        });
        if settings.percent.0 == 0 && settings.header.is_none() {
            problems.push(self.wrong(name, "canary", "no request would go there", "say `percent` or `header`, or leave it out"));
        }
        let group = self.sibling("canary", &settings.production, &settings.sandbox, problems)?;
        Some(Canary { group, percent: settings.percent.0, header })
    }

    /// A group like the other one, for its environment.
    fn sibling(
        &self,
        kind: &str,
        production: &[EndpointTarget],
        sandbox: &[EndpointTarget],
        problems: &mut Problems,
    ) -> Option<Arc<Group<C>>> {
        let name = &self.group.name;
        if production.is_empty() && sandbox.is_empty() {
            problems.push(self.wrong(name, kind, "there is no endpoint", "say `production` or `sandbox`"));
            return None;
        }
        let (side, listed) = match self.group.environment {
            Environment::Production => ("production", production),
            Environment::Sandbox => ("sandbox", sandbox),
        };
        if listed.is_empty() {
            return None;
        }
        let template = Template { group: format!("{name}@{kind}").into(), ..self.template.clone() };
        let sibling = Group::new(template, self.group.environment, self.policy.clone(), self.factory.clone());
        let targets: Vec<Target> = listed.iter().map(target).collect();
        for (index, unfit) in sibling.replace(&targets).err().unwrap_or_default() {
            problems.push(unfit.problem(name).at(self.inputs.file, 0, pointer(name, &format!("{kind}/{side}/{index}"))));
        }
        Some(Arc::new(sibling))
    }

    fn wrong(&self, name: &str, member: &str, message: &str, hint: &str) -> Problem {
        Problem::error("upstream.siblings", message).at(self.inputs.file, 0, pointer(name, member)).hint(hint)
    }
}

/// What is listed, as a target.
pub fn target(listed: &EndpointTarget) -> Target {
    Target { url: listed.url.clone(), weight: listed.weight, zone: listed.zone.clone(), priority: listed.priority }
}
