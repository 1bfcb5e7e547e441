//! The limits of an operation: which policy counts, and for whom.

pub(crate) mod condition;
pub(crate) mod key;
pub(crate) mod params;
pub(crate) mod part;
pub(crate) mod policies;
pub(crate) mod spikes;
pub(crate) mod tiers;

use std::{borrow::Cow, sync::Arc};

use tollgate_counters::{Ask, Counters};
use tollgate_filter_api::{Answer, Problem, Reason, Rule};

use crate::{
    config::{Config, Declaration, Level, Limit as Setting, Plan},
    limits::{
        condition::Condition,
        key::{Key, PARTS},
        part::{Part, Seen},
        policies::{List, Named, Policies},
        spikes::Spikes,
        tiers::{Tier, UNLIMITED},
    },
    reasons::{ANONYMOUS, API, APPLICATION, LIMIT, OPERATION, SUBSCRIPTION},
};

/// Most limits of an operation, so that they are counted without an allocation.
pub(crate) const MOST: usize = 8;

/// One limit.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Why a request over it is refused.
    pub reason: &'static Reason,
    /// What says so.
    pub rule: Rule,
    which: Which,
    key: Key,
    /// It applies when all of them hold.
    when: Vec<Condition>,
    /// It is for callers alone whom no filter knows.
    anonymous: bool,
}

/// Which policy counts.
#[derive(Debug)]
enum Which {
    Always(Arc<Named>),
    /// The one that a claim names.
    Named {
        claim: Box<str>,
        policies: Vec<Arc<Named>>,
        otherwise: Arc<Named>,
    },
    Tier(Tier),
    Spikes(Spikes),
}

/// All limits that the settings and the definition have for an operation, in the order in which they answer.
///
/// With a traffic manager, a tier that a credential names and that has no policy here is one that it knows.
pub(crate) fn limits(
    config: &Config,
    declared: &Declaration,
    policies: &mut Policies<'_>,
    has_traffic_manager: bool,
) -> Result<Vec<Limit>, Problem> {
    let mut limits = Vec::new();
    let lenient = config.shadow || has_traffic_manager;
    if let Some(name) = declared.policy.as_deref().filter(|name| *name != UNLIMITED) {
        let named = policies.get(List::Resource, name).map_err(|unusable| unusable.problem("/policy", name).of_declaration())?;
        let (reason, key) = match declared.level {
            Level::Api => (&API, Key::new("api", vec![Part::Api])),
            Level::Resource => (&OPERATION, Key::new("api operation", vec![Part::Api, Part::Operation])),
        };
        limits.push(Limit::new(reason, Rule::declaration("/policy"), Which::Always(named), key));
    }
    if config.tiers.subscription {
        let tier = Which::Tier(Tier::subscription(config, policies, lenient)?);
        let key = Key::new("subscription", vec![Part::Application, Part::Other, Part::Api]);
        limits.push(Limit::new(&SUBSCRIPTION, Rule::setting("/tiers/subscription"), tier, key));
        if config.tiers.spike_arrest {
            let key = Key::new("spike", vec![Part::Application, Part::Other, Part::Api]);
            let spikes = Which::Spikes(Spikes::new(!config.shadow, policies.env()));
            limits.push(Limit::new(&SUBSCRIPTION, Rule::setting("/tiers/spike_arrest"), spikes, key));
        }
    } else if config.tiers.unsubscribed.is_some() || config.tiers.spike_arrest {
        let place = if config.tiers.spike_arrest { "/tiers/spike_arrest" } else { "/tiers/unsubscribed" };
        return Err(Problem::setting(place, "subscriptions are not looked at").hint("set `subscription: true` beside it"));
    }
    if config.tiers.application {
        let tier = Which::Tier(Tier::application(policies, lenient)?);
        let key = Key::new("application", vec![Part::Application, Part::Other, Part::Subject]);
        limits.push(Limit::new(&APPLICATION, Rule::setting("/tiers/application"), tier, key));
    }
    for (at, setting) in config.limits.iter().enumerate() {
        limits.push(limit(at, setting, policies)?);
    }
    if let Some(name) = &config.anonymous {
        let named = policies.get(List::Subscription, name).map_err(|unusable| unusable.problem("/anonymous", name))?;
        let limit = Limit::new(&ANONYMOUS, Rule::setting("/anonymous"), Which::Always(named), Key::new("anonymous", vec![Part::Address]));
        limits.push(Limit { anonymous: true, ..limit });
    }
    if limits.len() > MOST {
        return Err(Problem::setting("/limits", format!("an operation has at most {MOST} limits, and this one has {}", limits.len())));
    }
    Ok(limits)
}

fn limit(at: usize, setting: &Setting, policies: &mut Policies<'_>) -> Result<Limit, Problem> {
    let which = match (&setting.policy, &setting.plan) {
        (Some(name), None) => {
            let named = policies.get_any(name).map_err(|unusable| unusable.problem(format!("/limits/{at}/policy"), name))?;
            Which::Always(named)
        }
        (None, Some(plan)) => plan_of(at, plan, policies)?,
        _ => return Err(Problem::setting(format!("/limits/{at}"), "a limit has either a `policy` or a `plan`")),
    };
    let parts: Vec<Part> = setting.key.iter().enumerate().map(|(nth, name)| part(at, nth, name)).collect::<Result<_, _>>()?;
    if parts.is_empty() || parts.len() > PARTS {
        return Err(Problem::setting(format!("/limits/{at}/key"), format!("expected one to {PARTS} parts, found {}", parts.len())));
    }
    let conditions = setting.when.iter().enumerate();
    let when = conditions.map(|(nth, one)| Condition::new(one, &format!("/limits/{at}/when/{nth}"))).collect::<Result<_, _>>()?;
    let limit = Limit::new(&LIMIT, Rule::nth_setting("/limits/*", at), which, Key::new(&setting.key.join(" "), parts));
    Ok(Limit { when, ..limit })
}

fn plan_of(at: usize, plan: &Plan, policies: &mut Policies<'_>) -> Result<Which, Problem> {
    let mut get = |pointer: String, name: &str| policies.get_any(name).map_err(|unusable| unusable.problem(pointer, name));
    let otherwise = get(format!("/limits/{at}/plan/otherwise"), &plan.otherwise)?;
    let named = plan.policies.iter().enumerate();
    let named = named.map(|(nth, name)| get(format!("/limits/{at}/plan/policies/{nth}"), name)).collect::<Result<_, _>>()?;
    Ok(Which::Named { claim: plan.claim.as_str().into(), policies: named, otherwise })
}

fn part(at: usize, nth: usize, name: &str) -> Result<Part, Problem> {
    Part::parse(name).ok_or_else(|| {
        let message = format!("{name:?} is nothing by which requests can be counted");
        Problem::setting(format!("/limits/{at}/key/{nth}"), message).hint(format!("known are {}", Part::names()))
    })
}

impl Limit {
    fn new(reason: &'static Reason, rule: Rule, which: Which, key: Key) -> Self {
        let key = if matches!(which, Which::Always(_)) { key.of_one_policy() } else { key };
        Self { reason, rule, which, key, when: Vec::new(), anonymous: false }
    }

    /// The policy that counts every request, when there is one.
    pub(crate) fn always(&self) -> Option<&Named> {
        match &self.which {
            Which::Always(named) if !self.anonymous && self.when.is_empty() => Some(named),
            _ => None,
        }
    }

    /// The policy that counts this request, when the limit is for its caller.
    ///
    /// # Errors
    /// The refusal, when nobody knows which.
    pub(crate) fn policy(&self, seen: Seen<'_>) -> Result<Option<Cow<'_, Arc<Named>>>, Answer> {
        let principal = seen.credentials.first;
        if (self.anonymous && !principal.is_anonymous()) || !self.when.iter().all(|condition| condition.holds(seen)) {
            return Ok(None);
        }
        match &self.which {
            Which::Always(named) => Ok(Some(Cow::Borrowed(named))),
            Which::Named { claim, policies, otherwise } => {
                let name = principal.claims.get(&**claim).and_then(|value| value.as_str());
                Ok(Some(Cow::Borrowed(policies.iter().find(|named| Some(&*named.name) == name).unwrap_or(otherwise))))
            }
            Which::Tier(tier) => Ok(tier.policy(seen)?.map(Cow::Borrowed)),
            Which::Spikes(spikes) => Ok(spikes.policy(seen)?.map(Cow::Owned)),
        }
    }

    /// Who is counted, for the operator.
    pub(crate) fn shown(&self, seen: Seen<'_>) -> String {
        self.key.shown(seen)
    }

    /// The question that it asks of a request.
    pub(crate) fn ask<'p>(&self, named: &'p Named, counters: &Counters, seen: Seen<'_>) -> Ask<'p> {
        let ask = self.key.ask(named, counters, seen);
        let ask = if named.stops { ask } else { ask.never_stops() };
        if self.key.is_chosen_by_clients() { ask.chosen_by_client() } else { ask }
    }
}
