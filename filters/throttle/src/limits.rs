//! The limits of an operation: which policy counts, and for whom.

use std::{borrow::Cow, sync::Arc};

use tollgate_counters::{Ask, Counters, Key};
use tollgate_filter_api::{Call, Problem, Reason, RequestHead, Rule};

use crate::{
    config::{Config, Declaration, Level, Limit as Setting, Plan},
    part::{Caller, Part},
    policies::{Named, Policies},
    reasons::{ANONYMOUS, API, LIMIT, OPERATION},
};

/// Most limits of an operation, so that they are counted without an allocation.
pub(crate) const MOST: usize = 8;
/// Most parts of a key.
const PARTS: usize = 4;

/// One limit.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Why a request over it is refused.
    pub reason: &'static Reason,
    /// What says so.
    pub rule: Rule,
    which: Which,
    key: Vec<Part>,
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
}

/// All limits that the settings and the definition have for an operation, in the order in which they answer.
pub(crate) fn limits(config: &Config, declared: &Declaration, policies: &mut Policies<'_>) -> Result<Vec<Limit>, Problem> {
    let mut limits = Vec::new();
    if let Some(name) = declared.policy.as_deref().filter(|name| *name != "Unlimited") {
        let named = policies.get(name).map_err(|unknown| unknown.problem("/policy", name).of_declaration())?;
        let (reason, key) = match declared.level {
            Level::Api => (&API, vec![Part::Api]),
            Level::Resource => (&OPERATION, vec![Part::Api, Part::Operation]),
        };
        limits.push(Limit { reason, rule: Rule::declaration("/policy"), which: Which::Always(named), key, anonymous: false });
    }
    for (at, setting) in config.limits.iter().enumerate() {
        limits.push(limit(at, setting, policies)?);
    }
    if let Some(name) = &config.anonymous {
        let named = policies.get(name).map_err(|unknown| unknown.problem("/anonymous", name))?;
        let (rule, key) = (Rule::setting("/anonymous"), vec![Part::Address]);
        limits.push(Limit { reason: &ANONYMOUS, rule, which: Which::Always(named), key, anonymous: true });
    }
    if limits.len() > MOST {
        return Err(Problem::setting("/limits", format!("an operation has at most {MOST} limits, and this one has {}", limits.len())));
    }
    Ok(limits)
}

fn limit(at: usize, setting: &Setting, policies: &mut Policies<'_>) -> Result<Limit, Problem> {
    let which = match (&setting.policy, &setting.plan) {
        (Some(name), None) => {
            let named = policies.get(name).map_err(|unknown| unknown.problem(format!("/limits/{at}/policy"), name))?;
            Which::Always(named)
        }
        (None, Some(plan)) => plan_of(at, plan, policies)?,
        _ => return Err(Problem::setting(format!("/limits/{at}"), "a limit has either a `policy` or a `plan`")),
    };
    let key: Vec<Part> = setting.key.iter().enumerate().map(|(nth, name)| part(at, nth, name)).collect::<Result<_, _>>()?;
    if key.is_empty() || key.len() > PARTS {
        return Err(Problem::setting(format!("/limits/{at}/key"), format!("expected one to {PARTS} parts, found {}", key.len())));
    }
    Ok(Limit { reason: &LIMIT, rule: Rule::nth_setting("/limits/*", at), which, key, anonymous: false })
}

fn plan_of(at: usize, plan: &Plan, policies: &mut Policies<'_>) -> Result<Which, Problem> {
    let mut get = |pointer: String, name: &str| policies.get(name).map_err(|unknown| unknown.problem(pointer, name));
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
    /// The policy that counts this request, when the limit is for its caller.
    pub(crate) fn policy(&self, caller: Caller<'_>) -> Option<&Arc<Named>> {
        if self.anonymous && !caller.principal.is_anonymous() {
            return None;
        }
        Some(match &self.which {
            Which::Always(named) => named,
            Which::Named { claim, policies, otherwise } => {
                let name = caller.principal.claims.get(&**claim).and_then(|value| value.as_str());
                policies.iter().find(|named| Some(&*named.name) == name).unwrap_or(otherwise)
            }
        })
    }

    /// The question that it asks of a request.
    pub(crate) fn ask<'p>(&self, named: &'p Named, counters: &Counters, req: &RequestHead, call: &Call, caller: Caller<'_>) -> Ask<'p> {
        let ask = Ask::new(&named.policy, self.key(named, counters, req, call, caller));
        let ask = if named.stops { ask } else { ask.never_stops() };
        if self.key.iter().any(Part::is_chosen_by_clients) { ask.chosen_by_client() } else { ask }
    }

    fn key(&self, named: &Named, counters: &Counters, req: &RequestHead, call: &Call, caller: Caller<'_>) -> Key {
        let mut parts = [const { Cow::Borrowed(&[] as &[u8]) }; PARTS];
        for (place, part) in parts.iter_mut().zip(&self.key) {
            *place = part.of(req, call, caller);
        }
        let parts = parts.each_ref().map(|part| &**part);
        counters.key(&named.policy, &parts[..self.key.len()])
    }
}
