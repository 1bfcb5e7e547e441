//! `policies.yaml`: three lists of throttle policies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tollgate_document::{Shape, nearest};
use tollgate_filter_api::{Problem, Problems};

use crate::input::spot::Spot;

const DAY: u64 = 86_400;

/// The filter that reads them.
pub(crate) const FILTER: &str = "throttle";

/// `policies.yaml`, level by level, as the Plan has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Policies {
    pub resource: BTreeMap<String, Policy>,
    pub application: BTreeMap<String, Policy>,
    pub subscription: BTreeMap<String, Policy>,
}

impl Policies {
    pub(crate) fn is_empty(&self) -> bool {
        self.resource.is_empty() && self.application.is_empty() && self.subscription.is_empty()
    }
}

/// So many requests in so much time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Policy {
    /// Requests allowed in a window.
    pub count: u64,
    /// Window length in seconds: `unitTime` times `timeUnit`.
    pub window_seconds: u64,
    /// `false` lets traffic pass and only marks it.
    pub stop_on_quota: bool,
    /// `file:line` of it.
    pub source: String,
    #[serde(skip)]
    line: u32,
}

/// Means "no policy" and needs no entry.
pub(crate) const UNLIMITED: &str = "Unlimited";

const LISTS: [&str; 3] = ["resourcePolicies", "applicationPolicies", "subscriptionPolicies"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    count: u64,
    unit_time: u64,
    time_unit: TimeUnit,
    #[serde(default = "stops")]
    stop_on_quota: bool,
}

fn stops() -> bool {
    true
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimeUnit {
    /// Not of the reference product.
    Sec,
    Min,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl TimeUnit {
    fn seconds(self) -> u64 {
        match self {
            Self::Sec => 1,
            Self::Min => 60,
            Self::Hour => 3600,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }
}

pub(crate) fn read(root: &Spot<'_>, problems: &mut Problems) -> Policies {
    if root.is(Shape::Null) {
        return Policies::default();
    }
    if !root.is(Shape::Object) {
        problems.push(root.error("policies.form", format!("expected an object with {}", LISTS.join(", "))));
        return Policies::default();
    }
    for (key, spot) in root.entries() {
        if !LISTS.contains(&key) {
            let hint = nearest(key, LISTS).map_or(format!("known are {}", LISTS.join(", ")), did_you_mean);
            problems.push(spot.error("policies.unknown_key", format!("unknown key `{key}`")).hint(hint));
        }
    }
    let mut list = |name: &str| root.get(name).map(|spot| read_list(&spot, problems)).unwrap_or_default();
    Policies { resource: list(LISTS[0]), application: list(LISTS[1]), subscription: list(LISTS[2]) }
}

fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

fn read_list(list: &Spot<'_>, problems: &mut Problems) -> BTreeMap<String, Policy> {
    let mut policies: BTreeMap<String, Policy> = BTreeMap::new();
    if !list.is(Shape::Array) && !list.is(Shape::Null) {
        problems.push(list.error("policies.form", "expected a list of policies, each `- name: {count: …}`"));
    }
    for entry in list.items() {
        if !entry.is(Shape::Object) {
            problems.push(entry.error("policies.form", "expected `name: {count: …, unitTime: …, timeUnit: …}`"));
        }
        for (name, spot) in entry.entries() {
            let policy = match read_policy(&spot) {
                Ok(policy) => policy,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if let Some(first) = policies.get(name) {
                let hint = format!("it was first written on line {}", first.line);
                let message = format!("the policy `{name}` stands here a second time");
                problems.push(spot.error("policies.duplicate", message).hint(hint));
            } else {
                problems.0.extend(forgotten(&spot, name, &policy));
                policies.insert(name.to_owned(), policy);
            }
        }
    }
    policies
}

fn read_policy(spot: &Spot<'_>) -> Result<Policy, Problem> {
    let fields: Fields = spot.node.document().decode(&spot.pointer)?;
    let window = fields.unit_time.checked_mul(fields.time_unit.seconds()).filter(|seconds| *seconds > 0);
    let (Some(window_seconds), 1..) = (window, fields.count) else {
        return Err(spot.error("policies.value", "`count` and `unitTime` must be at least 1"));
    };
    Ok(Policy { count: fields.count, window_seconds, stop_on_quota: fields.stop_on_quota, source: spot.written(), line: spot.node.line() })
}

/// Warns of a quota that lasts longer than many a process.
fn forgotten(spot: &Spot<'_>, name: &str, policy: &Policy) -> Option<Problem> {
    let days = policy.window_seconds / DAY;
    let message = format!("the policy `{name}` counts for {days} days, and a gateway that starts anew begins with 0");
    (days > 0).then(|| {
        spot.warning("policies.forgotten", message).hint("name a file for the counters in its gateway.yaml: `stores.counters.file`")
    })
}

/// Says so when a resource policy is not there.
pub(crate) fn check_resource(policies: &Policies, name: &str, spot: &Spot<'_>, waived: bool) -> Option<Problem> {
    if name == UNLIMITED || policies.resource.contains_key(name) {
        return None;
    }
    let message = format!("the policy `{name}` is not among the `resourcePolicies` of policies.yaml");
    let names = policies.resource.keys().map(String::as_str);
    let hint = match nearest(name, names.chain([UNLIMITED])) {
        Some(near) => did_you_mean(near),
        None => "add it there, or use `Unlimited`".to_owned(),
    };
    let problem = if waived { spot.warning("policy.unknown", message) } else { spot.error("policy.unknown", message) };
    Some(problem.hint(hint))
}
