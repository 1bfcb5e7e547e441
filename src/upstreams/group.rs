//! A group of endpoints that can stand for each other, and how its endpoints change while requests run.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use tollgate_filter_api::{Metrics, Problem, Problems};
use tollgate_plan::Environment;

use super::{
    Choice, Endpoint, EndpointSet, MOST_WEIGHT, Resolver, Selection, Target, Upstream,
    balance::{Shared, picture::Member},
    health::Health,
    policy::Policy,
    settings::{
        template::{Template, Unfit},
        url::ParsedUrl,
    },
    siblings::{Canary, Mirror},
};

/// Makes endpoints.
pub struct Factory<C> {
    /// Who keeps names resolved.
    pub resolver: Arc<dyn Resolver>,
    /// Makes the connection parameters of an upstream: once for each endpoint, before a request can meet it.
    pub connection: Box<dyn Fn(&Upstream) -> C + Send + Sync>,
    /// Series.
    pub metrics: Metrics,
}

/// The endpoints that somebody says a group has.
#[derive(Clone, Copy, Debug)]
pub struct Supply<'a> {
    /// Who says so: problems are blamed on that name.
    pub by: &'a str,
    /// The endpoints, in order. None is allowed: then nothing of the group can be reached.
    pub targets: &'a [Target],
}

/// What a supply has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Endpoints that are new.
    pub joined: usize,
    /// Endpoints that are there no more.
    pub left: usize,
}

/// Endpoints that can stand for each other.
pub struct Group<C> {
    /// Name of the group, as overrides spell it.
    pub name: Arc<str>,
    /// The key type it serves.
    pub environment: Environment,
    template: Template,
    shared: Arc<Shared>,
    /// See [`Group::is_plain`].
    pub(super) plain: bool,
    pub(super) canary: Option<Canary<C>>,
    pub(super) mirror: Option<Arc<Mirror<C>>>,
    factory: Arc<Factory<C>>,
    current: ArcSwap<EndpointSet<C>>,
    /// Suppliers take turns; requests do not come here.
    supplying: Mutex<()>,
}

impl<C> fmt::Debug for Group<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<C> Group<C> {
    /// A group without endpoints.
    pub(super) fn new(template: Template, environment: Environment, policy: Policy, factory: Arc<Factory<C>>) -> Self {
        let label = label(&template.group, environment);
        let shared = Arc::new(Shared::new(policy, &factory.metrics, &label));
        let none = EndpointSet::new(template.group.clone(), Vec::new(), Vec::new(), shared.clone());
        let current = ArcSwap::from_pointee(none);
        Self {
            name: template.group.clone(),
            environment,
            template,
            shared,
            plain: true,
            canary: None,
            mirror: None,
            factory,
            current,
            supplying: Mutex::default(),
        }
    }

    /// What series call it.
    pub fn label(&self) -> String {
        label(&self.name, self.environment)
    }

    /// How it is balanced and guarded.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// The endpoints of now, for whoever checks or shows them.
    pub fn endpoints(&self) -> Arc<EndpointSet<C>> {
        self.current.load_full()
    }

    /// Whether it has an endpoint that is ready for itself.
    pub fn is_ready(&self, now: Instant) -> bool {
        let set = self.current.load_full();
        !set.endpoints().is_empty() && set.picture(now).healthy > 0
    }

    /// Tells what a check says of an endpoint, unless it has left.
    pub fn checked(&self, endpoint: &Endpoint<C>, found: Result<(), String>) {
        let set = self.current.load_full();
        if let Some(place) = set.endpoints().iter().position(|other| other.id == endpoint.id) {
            set.checked(place, found);
        }
    }

    /// Whether nothing of a request matters for where it goes.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The endpoints of now, for one request.
    pub fn select(&self, choice: Choice) -> Selection<C> {
        if let Some(retries) = &self.shared.policy.retries {
            self.shared.guards.earn(retries);
        }
        Selection::new(self.current.load_full(), choice)
    }

    /// Replaces the endpoints. Requests that begin after the return meet the new ones only; those that began before go on with what
    /// they have. An endpoint with the same URL stays the same: its connections, what is known of it, and its turn.
    ///
    /// # Errors
    /// Every URL that cannot be an endpoint of the group; then nothing is changed, and the log has the problems.
    pub fn supply(&self, supply: Supply<'_>) -> Result<Change, Problems> {
        self.replace(supply.targets).map_err(|unfit| {
            let problem = |(index, unfit): (usize, Unfit)| unfit.problem(&self.name).at(supply.by, 0, format!("/{index}"));
            let problems = Problems(unfit.into_iter().map(problem).collect());
            log::error!("the endpoints of group `{}` were not changed, because of {} problems", self.name, problems.0.len());
            problems.0.iter().for_each(|problem| log::error!("{problem}"));
            problems
        })
    }

    /// As [`Group::supply`], but says by index what is wrong with which URL, and leaves it to the caller to tell.
    pub(super) fn replace(&self, targets: &[Target]) -> Result<Change, Vec<(usize, Unfit)>> {
        let fit = self.judge(targets)?;
        let _one_at_a_time = self.supplying.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.current.load_full();
        let Comparison { staying, leaving } = Comparison::of(old.endpoints(), &fit);
        let change = Change { joined: staying.iter().filter(|same| same.is_none()).count(), left: leaving.len() };
        // Those of the beginning need not begin with a small share.
        let joined = (!old.endpoints().is_empty()).then(|| self.shared.millis(Instant::now()).max(1));
        let next: Vec<_> =
            fit.into_iter().zip(staying).map(|(url, same)| same.unwrap_or_else(|| Arc::new(self.join(url, joined)))).collect();
        self.shared.hand_over(old.endpoints(), &next);
        let members = targets.iter().map(|target| self.member(target)).collect();
        self.current.store(Arc::new(EndpointSet::new(self.name.clone(), next, members, self.shared.clone())));
        leaving.iter().for_each(|endpoint| endpoint.leave());
        Ok(change)
    }

    /// Why a URL cannot be an endpoint of the group; `None` for one that can.
    pub fn refuses(&self, url: &str) -> Option<Problem> {
        self.template.judge(url).err().map(|unfit| unfit.problem(&self.name))
    }

    fn judge(&self, targets: &[Target]) -> Result<Vec<ParsedUrl>, Vec<(usize, Unfit)>> {
        let (mut fit, mut unfit) = (Vec::new(), Vec::new());
        for (index, target) in targets.iter().enumerate() {
            match self.template.judge(&target.url) {
                Ok(url) => fit.push(url),
                Err(reason) => unfit.push((index, reason)),
            }
        }
        if unfit.is_empty() { Ok(fit) } else { Err(unfit) }
    }

    fn join(&self, url: ParsedUrl, joined: Option<u64>) -> Endpoint<C> {
        let upstream = self.template.upstream(url, &*self.factory.resolver);
        let connection = (self.factory.connection)(&upstream);
        Endpoint::new(upstream, connection, Health::new(&self.shared.policy, joined))
    }

    fn member(&self, target: &Target) -> Member {
        let local = self.shared.policy.balancing.zone.as_deref().is_none_or(|zone| target.zone.as_deref() == Some(zone));
        Member { weight: target.weight.min(MOST_WEIGHT), priority: target.priority, local }
    }
}

fn label(name: &str, environment: Environment) -> String {
    match environment {
        Environment::Production => format!("{name}/production"),
        Environment::Sandbox => format!("{name}/sandbox"),
    }
}

/// The endpoints of a group beside the URLs it is to have.
struct Comparison<C> {
    /// For each URL the endpoint that is there already.
    staying: Vec<Option<Arc<Endpoint<C>>>>,
    leaving: Vec<Arc<Endpoint<C>>>,
}

impl<C> Comparison<C> {
    /// A URL that is there twice needs two endpoints.
    fn of(old: &[Arc<Endpoint<C>>], urls: &[ParsedUrl]) -> Self {
        let mut known: HashMap<EndpointKey<'_>, Vec<&Arc<Endpoint<C>>>> = HashMap::new();
        for endpoint in old.iter().rev() {
            known.entry(EndpointKey::of(&endpoint.upstream)).or_default().push(endpoint);
        }
        let staying = urls.iter().map(|url| known.get_mut(&EndpointKey::of_url(url)).and_then(Vec::pop).cloned()).collect();
        Self { staying, leaving: known.into_values().flatten().cloned().collect() }
    }
}

/// What tells the endpoints of a group apart: all else they have in common.
#[derive(PartialEq, Eq, Hash)]
struct EndpointKey<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> EndpointKey<'a> {
    fn of(upstream: &'a Upstream) -> Self {
        Self { tls: upstream.tls, host: &upstream.host, port: upstream.port, path: &upstream.path, query: upstream.query.as_deref() }
    }

    fn of_url(url: &'a ParsedUrl) -> Self {
        Self { tls: url.tls, host: &url.host, port: url.port, path: &url.path, query: url.query.as_deref() }
    }
}
