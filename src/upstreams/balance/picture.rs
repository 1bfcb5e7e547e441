//! Which endpoints of a set take requests at the moment. A picture is made when something has changed, and read by every request.

use std::{sync::Arc, time::Instant};

use super::{Shared, alias::Alias};
use crate::upstreams::{
    Endpoint,
    health::{Standing, Why},
    policy::Balancing,
};

/// What whoever supplies an endpoint says of it beside its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::upstreams) struct Member {
    pub(in crate::upstreams) weight: u32,
    pub(in crate::upstreams) priority: u8,
    /// It stands in the gateway's own zone.
    pub(in crate::upstreams) local: bool,
}

/// Which endpoints take requests.
#[derive(Debug)]
pub(in crate::upstreams) struct Picture {
    /// What it was made from.
    pub(in crate::upstreams) version: u64,
    /// When something changes by itself, in milliseconds.
    pub(in crate::upstreams) until: u64,
    /// The places of those that take requests, in order.
    pub(super) ready: Box<[u32]>,
    /// How they share them, when not evenly.
    pub(super) alias: Option<Alias>,
    /// Those that one request may try.
    pub(super) trials: Box<[u32]>,
    /// So few are ready that all count as ready.
    pub(in crate::upstreams) panics: bool,
    /// How many are ready for themselves, of those with a weight.
    pub(in crate::upstreams) healthy: usize,
    marks: Box<[bool]>,
}

/// Percent of so many.
fn percent(part: usize, of: usize) -> usize {
    (part * 100).checked_div(of).unwrap_or(100)
}

impl Picture {
    /// Of now.
    pub(in crate::upstreams) fn of<C>(shared: &Shared, endpoints: &[Arc<Endpoint<C>>], members: &[Member], at: Instant) -> Self {
        let version = shared.version();
        let (now, balancing) = (shared.millis(at), &shared.policy.balancing);
        let standings: Vec<_> =
            endpoints.iter().zip(members).map(|(endpoint, member)| standing(endpoint, *member, at, now, balancing)).collect();
        let until = standings.iter().map(|standing| match standing {
            Standing::Ready(_, until) | Standing::Out(_, until) => *until,
            Standing::Trial => u64::MAX,
        });
        let until = until.min().unwrap_or(u64::MAX);
        let share = |place: usize| match standings[place] {
            Standing::Ready(part, _) => part * f64::from(members[place].weight),
            _ => 0.0,
        };
        let is_ready = |place: &usize| matches!(standings[*place], Standing::Ready(..));
        let weighted = (0..members.len()).filter(|place| members[*place].weight > 0).count();
        let healthy = (0..members.len()).filter(is_ready).count();
        let panics = healthy == 0 || percent(healthy, weighted) < usize::from(balancing.panic);
        let ready = if panics { everybody(members) } else { tiers(members, balancing.min_ready, is_ready) };
        let shares: Vec<f64> =
            ready.iter().map(|place| if panics { f64::from(members[*place].weight.max(1)) } else { share(*place) }).collect();
        let places = |places: Vec<usize>| places.into_iter().map(|place| u32::try_from(place).unwrap_or(u32::MAX)).collect();
        let trials = (0..members.len()).filter(|place| standings[*place] == Standing::Trial && !panics).collect();
        let mut marks = vec![false; members.len()];
        ready.iter().for_each(|place| marks[*place] = true);
        let (alias, ready, trials) = (Alias::of(&shares), places(ready), places(trials));
        Self { version, until, ready, alias, trials, panics, healthy, marks: marks.into() }
    }

    /// Whether one takes requests.
    pub(in crate::upstreams) fn is_ready(&self, place: usize) -> bool {
        self.marks.get(place).copied().unwrap_or_default()
    }

    /// Those that take requests after this one, and round.
    pub(in crate::upstreams) fn after(&self, place: usize) -> impl Iterator<Item = usize> {
        let next = self.ready.partition_point(|ready| (*ready as usize) <= place);
        self.ready[next..].iter().chain(&self.ready[..next]).map(|place| *place as usize)
    }

    /// Two different ones, drawn by weight, if there are two.
    pub(super) fn two(&self, shared: &Shared) -> (usize, usize) {
        let draw = |number: u64| match &self.alias {
            Some(alias) => alias.draw(number),
            None => super::split(number, self.ready.len()).0,
        };
        let one = draw(shared.random());
        let mut other = draw(shared.random());
        if other == one {
            other = (one + 1) % self.ready.len();
        }
        (self.ready[one] as usize, self.ready[other] as usize)
    }
}

/// How an endpoint stands.
pub(in crate::upstreams) fn standing<C>(endpoint: &Endpoint<C>, member: Member, at: Instant, now: u64, balancing: &Balancing) -> Standing {
    if member.weight == 0 {
        return Standing::Out(Why::Weight, u64::MAX);
    }
    let addresses = || endpoint.upstream.addresses().map_or_else(Vec::new, |all| all.to_vec());
    endpoint.health.standing(addresses, at, now, balancing.slow_start)
}

/// When hardly anybody is ready: everybody who has a weight, or else everybody.
fn everybody(members: &[Member]) -> Vec<usize> {
    let weighted: Vec<_> = (0..members.len()).filter(|place| members[*place].weight > 0).collect();
    if weighted.is_empty() { (0..members.len()).collect() } else { weighted }
}

/// The first priority, and in it the own zone first; the next as well while not enough of those before are ready.
fn tiers(members: &[Member], min_ready: u8, is_ready: impl Fn(&usize) -> bool) -> Vec<usize> {
    let mut places: Vec<usize> = (0..members.len()).filter(|place| members[*place].weight > 0).collect();
    let tier = |place: &usize| (members[*place].priority, !members[*place].local);
    places.sort_by_key(tier);
    let (mut ready, mut all) = (Vec::new(), 0);
    for tier in places.chunk_by(|one, other| tier(one) == tier(other)) {
        all += tier.len();
        ready.extend(tier.iter().copied().filter(&is_ready));
        if !ready.is_empty() && percent(ready.len(), all) >= usize::from(min_ready) {
            break;
        }
    }
    ready.sort_unstable();
    ready
}
