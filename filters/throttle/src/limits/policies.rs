//! Policies by name: those of the settings, and those of `policies.yaml` under them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tollgate_counters as counters;
use tollgate_filter_api::{Counter, Env, Problem};
use tollgate_throttling::{Promise, Throttling};

use crate::config::{Algorithm, Config, Policy, Project, ProjectPolicy, Sharing};

/// A policy, ready to be asked.
#[derive(Debug)]
pub(crate) struct Named {
    /// Its name.
    pub name: Arc<str>,
    /// What counts.
    pub policy: counters::Policy,
    /// Whether it refuses.
    pub stops: bool,
    /// What is counted.
    pub unit: Unit,
    /// So many of them.
    pub quota: u64,
    /// In so many seconds; 0: at the same time.
    pub window: u64,
    /// Its part of `RateLimit-Policy`.
    pub item: Box<str>,
    /// Its name as a string of a structured field (RFC 9651 §3.3.3), the beginning of that.
    pub quoted: Box<str>,
    /// Requests that were over it.
    pub over: Counter,
}

/// What a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Requests,
    Bytes,
    Concurrent,
}

impl Unit {
    /// What is over the limit, for the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "number of requests",
            Self::Bytes => "number of bytes",
            Self::Concurrent => "number of requests at the same time",
        }
    }

    /// The parameter of `RateLimit-Policy`.
    fn parameter(self) -> &'static str {
        match self {
            Self::Requests => "",
            Self::Bytes => ";qu=\"content-bytes\"",
            Self::Concurrent => ";qu=\"concurrent-requests\"",
        }
    }
}

/// Every policy that a limit may name.
pub(crate) struct Policies<'a> {
    config: &'a Config,
    project: Arc<Project>,
    env: &'a Env,
    throttling: Arc<Throttling>,
    made: BTreeMap<(List, String), Arc<Named>>,
}

/// Where policies stand. A name means another policy in each list of `policies.yaml`; those of the settings stand before all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum List {
    /// The settings.
    Settings,
    /// `resourcePolicies`.
    Resource,
    /// `applicationPolicies`.
    Application,
    /// `subscriptionPolicies`.
    Subscription,
}

/// The lists of `policies.yaml`.
const PROJECT: [List; 3] = [List::Resource, List::Application, List::Subscription];

impl<'a> Policies<'a> {
    /// Those of the settings are all judged, those of the project when something names them.
    pub(crate) fn new(config: &'a Config, env: &'a Env) -> Result<Self, Problem> {
        let throttling = Throttling::of(env)?;
        let shares = |policy: &Policy| policy.shared.is_some_and(|sharing| sharing != Sharing::Local);
        let place = match config.policies.iter().find(|(_, policy)| shares(policy)) {
            Some((name, _)) => Some(format!("{}/shared", pointer(name))),
            None => (config.shared != Sharing::Local).then(|| "/shared".to_owned()),
        };
        if let Some(place) = place.filter(|_| throttling.lender.is_none()) {
            let problem = Problem::setting(place, "gateways that count together need a store, and there is none");
            return Err(problem.hint("name it in `stores.redis` of gateway.yaml"));
        }
        let mut policies = Self { config, project: env.declared.get()?, env, throttling, made: BTreeMap::new() };
        for (name, policy) in &config.policies {
            let named = policies.of_settings(name, policy)?;
            policies.made.insert((List::Settings, name.clone()), named);
        }
        Ok(policies)
    }

    /// What filters are given.
    pub(crate) fn env(&self) -> &Env {
        self.env
    }

    /// The policy of that name in the settings, or in a list.
    ///
    /// # Errors
    /// When there is none that can be enforced.
    pub(crate) fn get(&mut self, list: List, name: &str) -> Result<Arc<Named>, Unusable> {
        self.find(&[list], name)
    }

    /// The policy of that name in the settings, or in whatever list has one.
    ///
    /// # Errors
    /// When there is none that can be enforced.
    pub(crate) fn get_any(&mut self, name: &str) -> Result<Arc<Named>, Unusable> {
        self.find(&PROJECT, name)
    }

    /// Every policy that may be named by what stands in a list. A problem is one of the setting at `pointer`, which asks for them.
    pub(crate) fn all(&mut self, list: List, pointer: &str) -> Result<BTreeMap<String, Arc<Named>>, Problem> {
        let names = self.names(&[list]);
        let known = |name: String| match self.get(list, &name) {
            Ok(named) => Ok((name, named)),
            Err(unusable) => Err(unusable.problem(pointer, &name)),
        };
        names.into_iter().map(known).collect()
    }

    fn find(&mut self, lists: &[List], name: &str) -> Result<Arc<Named>, Unusable> {
        let at = |list| (list, name.to_owned());
        let known = std::iter::once(List::Settings).chain(lists.iter().copied()).find_map(|list| self.made.get(&at(list)));
        if let Some(made) = known {
            return Ok(made.clone());
        }
        let project = self.project.clone();
        let found = lists.iter().find_map(|list| Some((*list, of(&project, *list)?.get(name)?)));
        let (list, policy) = found.ok_or_else(|| Unusable::Unknown(self.names(lists)))?;
        let unfit = |error: counters::PolicyError| Unusable::Unfit(policy.source.clone(), error.to_string());
        let named = self.of_project(name, policy).map_err(unfit)?;
        self.made.insert(at(list), named.clone());
        Ok(named)
    }

    fn names(&self, lists: &[List]) -> Vec<String> {
        let of_project = lists.iter().filter_map(|list| of(&self.project, *list)).flat_map(BTreeMap::keys);
        self.config.policies.keys().chain(of_project).cloned().collect()
    }

    fn of_settings(&self, name: &str, policy: &Policy) -> Result<Arc<Named>, Problem> {
        let wrong = |key: &str, message: String| Problem::setting(format!("{}{key}", pointer(name)), message);
        if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(wrong("", format!("expected a name in printable ASCII, found {name:?}")));
        }
        let (unit, quota) = match (policy.requests, policy.bytes, policy.concurrent) {
            (Some(requests), None, None) => (Unit::Requests, requests),
            (None, Some(bytes), None) => (Unit::Bytes, bytes.0),
            (None, None, Some(concurrent)) => (Unit::Concurrent, concurrent),
            _ => return Err(wrong("", "a policy has one of `requests`, `bytes` and `concurrent`".to_owned())),
        };
        let window = match (policy.per, unit) {
            (None, Unit::Concurrent) => 0,
            (Some(_), Unit::Concurrent) => return Err(wrong("/per", "requests at the same time have no `per`".to_owned())),
            (None, _) => return Err(wrong("", "it needs `per`: the time in which so many are let through".to_owned())),
            (Some(per), _) if per.0.subsec_nanos() != 0 => return Err(wrong("/per", format!("expected whole seconds, found {per}"))),
            (Some(per), _) => per.0.as_secs(),
        };
        let algorithm = match (policy.algorithm, policy.burst) {
            (Algorithm::Sliding | Algorithm::Gcra, _) if unit != Unit::Requests => {
                return Err(wrong("/algorithm", "only `requests` are counted in another way than `fixed`".to_owned()));
            }
            (Algorithm::Fixed, None) => counters::Algorithm::Fixed,
            (Algorithm::Sliding, None) => counters::Algorithm::Sliding,
            (Algorithm::Gcra, burst) => counters::Algorithm::Gcra { burst: burst.unwrap_or(quota) },
            (_, Some(_)) => return Err(wrong("/burst", "only the algorithm `gcra` has a burst".to_owned())),
        };
        let stops = policy.stop && !self.config.shadow;
        let is_shareable = unit == Unit::Requests && algorithm == counters::Algorithm::Fixed;
        let sharing = policy.shared.unwrap_or(self.config.shared);
        if sharing != Sharing::Local && !is_shareable {
            let message = "gateways share `requests` of `fixed` windows alone; write `shared: local`, or another policy";
            return Err(wrong(if policy.shared.is_some() { "/shared" } else { "" }, message.to_owned()));
        }
        self.named(name, algorithm, (unit, quota, window), stops, sharing).map_err(|error| wrong("", error.to_string()))
    }

    fn of_project(&self, name: &str, policy: &ProjectPolicy) -> Result<Arc<Named>, counters::PolicyError> {
        let stops = policy.stop_on_quota && !self.config.shadow;
        let quota = (Unit::Requests, policy.count, policy.window_seconds);
        self.named(name, counters::Algorithm::Fixed, quota, stops, self.config.shared)
    }

    fn named(
        &self,
        name: &str,
        algorithm: counters::Algorithm,
        (unit, quota, window): (Unit, u64, u64),
        stops: bool,
        sharing: Sharing,
    ) -> Result<Arc<Named>, counters::PolicyError> {
        let policy = match unit {
            Unit::Requests if sharing == Sharing::Share => counters::Policy::shared(name, quota, window, counters::Away::Share)?,
            Unit::Requests if sharing == Sharing::Strict => counters::Policy::shared(name, quota, window, counters::Away::Strict)?,
            Unit::Requests => counters::Policy::new(name, algorithm, counters::Limit::Requests(quota), window)?,
            Unit::Bytes => counters::Policy::new(name, algorithm, counters::Limit::Bytes(quota), window)?,
            Unit::Concurrent => counters::Policy::concurrent(name, quota)?,
        };
        if !policy.is_shared() {
            self.throttling.has_policy(name, Duration::from_secs(window));
        } else {
            self.throttling.use_store();
        }
        if policy.is_shared() && stops {
            let strict = sharing == Sharing::Strict;
            self.throttling.promise(Promise { policy: name.to_owned(), limit: quota, window, strict });
        }
        let over = self.env.metrics.counter("throttle_over_total", Some(("policy", name)));
        Ok(Arc::new(Named::new(name, policy, (unit, quota, window), stops, over)))
    }
}

impl Named {
    /// A policy of that name.
    pub(crate) fn new(name: &str, policy: counters::Policy, (unit, quota, window): (Unit, u64, u64), stops: bool, over: Counter) -> Self {
        let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let within = if window > 0 { format!(";w={window}") } else { String::new() };
        let item = format!("{quoted};q={quota}{}{within}", unit.parameter()).into();
        Self { name: name.into(), policy, stops, unit, quota, window, item, quoted: quoted.into(), over }
    }
}

fn pointer(name: &str) -> String {
    format!("/policies/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn of(project: &Project, list: List) -> Option<&BTreeMap<String, ProjectPolicy>> {
    match list {
        List::Settings => None,
        List::Resource => Some(&project.resource),
        List::Application => Some(&project.application),
        List::Subscription => Some(&project.subscription),
    }
}

/// Why nothing can be limited by a policy of some name.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// There is none; these are the ones there are.
    Unknown(Vec<String>),
    /// Where it stands in the project, and why it cannot be enforced.
    Unfit(String, String),
}

impl Unusable {
    /// What is wrong with a setting that names it.
    pub(crate) fn problem(&self, pointer: impl Into<String>, name: &str) -> Problem {
        let names = match self {
            Self::Unfit(source, why) => return Problem::setting(pointer, format!("the policy `{name}` ({source}): {why}")),
            Self::Unknown(names) => names,
        };
        let problem = Problem::setting(pointer, format!("there is no policy `{name}`"));
        match tollgate_filter_api::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint("write it under `policies`, or into policies.yaml"),
        }
    }
}
