//! What WSO2's traffic manager decides, and what it is told.

mod caller;
mod places;

use std::sync::Arc;

use http::header::RETRY_AFTER;
use tollgate_filter_api::{
    Answer, Call, Cause, CauseKind, Counter, Env, Fault, HeaderName, HeaderValue, Moment, Problem, Rule, View, Views,
};
use tollgate_traffic_manager::{BlockKind, Caller, Event, Level, NAME, Place, Property, Refusal, TrafficManager};

use crate::{
    config::{Config, Declaration, Properties},
    decided::{EXCEEDED, spread},
    limits::{
        params,
        part::{self, Seen},
    },
    reasons::{ANONYMOUS, API, APPLICATION, BLOCKED, LIMIT, OPERATION, SUBSCRIPTION},
};
use places::Places;

/// Longest value of a property that is told, in bytes: with more, a client could make its events too long to be sent, and go uncounted.
const LONGEST_VALUE: usize = 512;

/// Most properties.
const MOST_PROPERTIES: usize = 16;

/// What stands behind the rule.
const SETTING: &str = "/stores/traffic_manager";

/// The traffic manager, as an operation meets it.
pub(crate) struct Traffic {
    manager: View<Arc<TrafficManager>>,
    places: Places,
    headers: Vec<(Box<str>, HeaderName)>,
    properties: Properties,
    /// Of callers who have subscribed to nothing.
    unsubscribed: Box<str>,
    /// Requests that met a decision, by level.
    decided: [Counter; 5],
    shadow: bool,
}

/// A request, in the traffic manager's words.
pub(crate) struct Told<'a> {
    seen: Seen<'a>,
    place: Arc<Place>,
    caller: Caller<'a>,
}

/// The one that the gateway offers.
pub(crate) fn offered(env: &Env) -> Option<Arc<TrafficManager>> {
    let none = || Err(Problem::error("throttle.traffic_manager", "there is none"));
    env.shared.get_or_make(NAME, none).ok()
}

impl Traffic {
    /// `None` when there is no traffic manager.
    ///
    /// # Errors
    /// When settings name one all the same, or cannot be read.
    pub(crate) fn new(config: &Config, declared: &Declaration, env: &Env) -> Result<Option<Self>, Problem> {
        let Some(manager) = offered(env) else {
            let message = "there is no traffic manager that it could be about";
            let hint = "set `stores.traffic_manager` in gateway.yaml, or leave this out";
            let alone = Problem::setting("/traffic_manager", message).hint(hint);
            return if config.traffic_manager.is_some() { Err(alone) } else { Ok(None) };
        };
        manager.use_decisions();
        let properties = config.traffic_manager.clone().unwrap_or_default().properties;
        let Properties { headers, query, claims } = &properties;
        if headers.len() + query.len() + claims.len() > MOST_PROPERTIES {
            return Err(Problem::setting("/traffic_manager/properties", format!("the traffic manager is told at most {MOST_PROPERTIES}")));
        }
        check_names(&properties)?;
        let header = |(at, name): (usize, &String)| match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) => Ok((name.as_str().into(), header)),
            Err(_) => {
                Err(Problem::setting(format!("/traffic_manager/properties/headers/{at}"), format!("{name:?} is no name of a header")))
            }
        };
        let level = |level| env.metrics.counter("throttle_decided_total", Some(("level", level)));
        Ok(Some(Self {
            manager: View::new("throttle.traffic_manager", manager),
            places: Places::new(declared),
            headers: properties.headers.iter().enumerate().map(header).collect::<Result<_, _>>()?,
            properties,
            unsubscribed: config.tiers.unsubscribed.as_deref().unwrap_or(tollgate_traffic_manager::UNLIMITED).into(),
            decided: ["api", "operation", "subscription", "application", "custom"].map(level),
            shadow: config.shadow,
        }))
    }

    /// A request in its words.
    pub(crate) fn of<'a>(&'a self, seen: Seen<'a>) -> Told<'a> {
        Told { seen, place: self.places.of(&seen.call.operation), caller: caller::of(seen, &self.unsubscribed) }
    }

    /// The refusal of a request that it blocks, or that is over a limit of its.
    ///
    /// # Errors
    /// When nobody knows.
    pub(crate) fn refuse(&self, told: &Told<'_>, views: &mut Views) -> Result<Option<Answer>, Fault> {
        let Told { seen, place, caller } = told;
        let blocked: Option<BlockKind> =
            views.ask(&self.manager, "whether the request is blocked", |manager| manager.decisions.block(place, caller))?;
        if let Some(kind) = blocked {
            return Ok(Some(block(kind)));
        }
        let now = seen.call.moment();
        let refused: Option<Refusal> = views
            .ask(&self.manager, "what was decided of the request", |manager| manager.decisions.refuse(place, caller, seen, millis(now)))?;
        let Some(refusal) = refused else { return Ok(None) };
        self.decided[refusal.level as usize].inc();
        Ok((!self.shadow).then(|| refuse(refusal, seen, now)))
    }

    /// Tells it of a request that was let through.
    pub(crate) fn tell(&self, told: &Told<'_>, views: &Views) {
        views.effect(&self.manager, |manager| manager.tell(self.event(told)));
    }

    fn event(&self, told: &Told<'_>) -> Vec<u8> {
        let Told { seen, place, caller } = told;
        let (id, length) = seen.call.request_id.text();
        let mut values: Vec<(&str, String)> = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_VALUE)]).into_owned();
        for (name, header) in &self.headers {
            values.extend(seen.req.get(header).map(|value| (&**name, text(value.as_bytes()))));
        }
        for name in &self.properties.query {
            values.extend(params::query(seen.req.query(), name).last().map(|value| (name.as_str(), text(&value))));
        }
        for name in &self.properties.claims {
            let claim = seen.credentials.first.claims.get(name.as_str());
            values.extend(claim.map(|value| (name.as_str(), text(&part::text(value)))));
        }
        let properties: Vec<Property<'_>> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let id = std::str::from_utf8(&id[..length]).unwrap_or_default();
        Event { id, place, caller, properties: &properties }.json()
    }
}

/// Of two values under one name a reader takes either, and one of them may be what the client chose.
fn check_names(properties: &Properties) -> Result<(), Problem> {
    let lists = [("headers", &properties.headers), ("query", &properties.query), ("claims", &properties.claims)];
    let mut taken = vec!["ip", "ipv6"];
    for (list, names) in lists {
        for (at, name) in names.iter().enumerate() {
            if taken.contains(&name.as_str()) {
                let message = format!("the traffic manager is told something else under the name {name:?}");
                return Err(Problem::setting(format!("/traffic_manager/properties/{list}/{at}"), message).hint("leave one of them out"));
            }
            taken.push(name);
        }
    }
    Ok(())
}

fn millis(now: Moment) -> u64 {
    let since = now.wall.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn block(kind: BlockKind) -> Answer {
    let what = match kind {
        BlockKind::Api => "API",
        BlockKind::Application => "application",
        BlockKind::User => "caller",
        BlockKind::Address => "client address",
    };
    let cause = Cause::new(CauseKind::NotAllowed, what, Rule::Gateway(SETTING)).detail("the traffic manager blocks it");
    BLOCKED.because(cause).detail("You have been blocked from accessing the resource")
}

fn refuse(refusal: Refusal, seen: &Seen<'_>, now: Moment) -> Answer {
    let (reason, level) = match refusal.level {
        Level::Api => (&API, "of the API"),
        Level::Resource => (&OPERATION, "of the operation"),
        Level::Subscription if seen.credentials.first.is_anonymous() => (&ANONYMOUS, "of callers without a credential"),
        Level::Subscription => (&SUBSCRIPTION, "of the subscription"),
        Level::Application => (&APPLICATION, "of the application"),
        Level::Custom => (&LIMIT, "of a custom policy"),
    };
    let cause = Cause::new(CauseKind::OverLimit, "requests", Rule::Gateway(SETTING));
    let cause = cause.detail(format!("the traffic manager has decided so by the tier {level}"));
    let seconds = refusal.until.saturating_sub(millis(now)).div_ceil(1000).max(1);
    let answer = reason.because(cause).header(RETRY_AFTER, retry_after(seconds, seen.call));
    answer.problem_type(EXCEEDED, Vec::new())
}

fn retry_after(seconds: u64, call: &Call) -> HeaderValue {
    HeaderValue::from(seconds + spread(seconds, call))
}
