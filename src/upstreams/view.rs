//! What an operator sees of a group.

use std::{
    net::SocketAddr,
    time::{Instant, SystemTime},
};

use super::{EndpointSet, Group, health::Standing, health::Why};

/// A group at one moment.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its endpoints.
    pub endpoints: Vec<EndpointView>,
    /// How many are ready for themselves.
    pub ready: usize,
    /// So few are that all take requests.
    pub panics: bool,
    /// Requests that wait for one that has room.
    pub waiting: u32,
}

/// An endpoint at one moment.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// Its URL, without query and credentials.
    pub url: String,
    /// Where it is, as far as that is known.
    pub addresses: Vec<SocketAddr>,
    /// Its weight.
    pub weight: u32,
    /// Its priority.
    pub priority: u8,
    /// Which part of its share it takes, from 0 to 1.
    pub share: f64,
    /// Why it takes no requests.
    pub why: Option<Why>,
    /// Since when it takes some, or none; `None`: from the beginning.
    pub since: Option<SystemTime>,
    /// Requests in progress, where they are counted.
    pub active: Option<u32>,
    /// How soon it answers, in milliseconds, where that is measured.
    pub latency: Option<f32>,
}

impl<C> Group<C> {
    /// What an operator sees of it.
    pub fn view(&self, now: Instant) -> GroupView {
        let set = self.endpoints();
        let picture = set.picture(now);
        let endpoints = (0..set.endpoints().len()).map(|place| view(&set, place, now)).collect();
        GroupView { endpoints, ready: picture.healthy, panics: picture.panics, waiting: set.shared().guards.waiting() }
    }
}

fn view<C>(set: &EndpointSet<C>, place: usize, now: Instant) -> EndpointView {
    let (endpoint, member) = (&set.endpoints()[place], set.members()[place]);
    let (share, why) = match set.standing(place, now) {
        Standing::Ready(share, _) => (share, None),
        Standing::Out(why, _) => (0.0, Some(why)),
        Standing::Trial => (0.0, Some(Why::Unreachable)),
    };
    EndpointView {
        url: endpoint.name.to_string(),
        addresses: endpoint.upstream.addresses().map_or_else(Vec::new, |all| all.to_vec()),
        weight: member.weight,
        priority: member.priority,
        share,
        why,
        since: endpoint.health.since(),
        active: set.policy().counts_requests().then(|| endpoint.load.active()),
        latency: endpoint.load.latency(),
    }
}
