//! Which master of a cluster holds what.

use std::time::{Duration, Instant};

use tollgate_outbound::Backoff;

use super::{Desk, events::Event};
use crate::{
    lane::Lane,
    script::TAGS,
    wire::{
        endpoint::Endpoint,
        failure::Lost,
        place::{Layout, Place, layout},
    },
};

/// How soon a cluster is asked again who holds what, at first and at most.
const LAYOUT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Who holds what, and when to ask again.
pub(super) struct Cluster {
    seeds: Vec<Endpoint>,
    asking: bool,
    pub(super) stale: bool,
    not_before: Instant,
    backoff: Backoff,
}

impl Cluster {
    /// Nothing is known yet.
    pub(super) fn new(seeds: Vec<Endpoint>, now: Instant) -> Self {
        Self { seeds, asking: false, stale: true, not_before: now, backoff: Backoff::between(LAYOUT.0, LAYOUT.1) }
    }

    /// When it is to be asked, if it is.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.stale && !self.asking).then_some(self.not_before)
    }
}

impl Desk {
    pub(super) fn lay_out(&mut self, now: Instant) {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.stale && !cluster.asking && cluster.not_before <= now) else {
            return;
        };
        (cluster.asking, cluster.stale) = (true, false);
        let mut nodes = cluster.seeds.clone();
        for lane in &self.lanes {
            match &lane.place {
                Place::At(endpoint) if !nodes.contains(endpoint) => nodes.push(endpoint.clone()),
                _ => {}
            }
        }
        let settings = self.settings.clone();
        self.work.push(Box::pin(async move { Event::LaidOut(layout(&nodes, &settings).await) }));
    }

    pub(super) fn laid_out(&mut self, laid_out: Result<Layout, Lost>, now: Instant) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.asking = false;
        let found = match laid_out {
            Ok(found) => found,
            Err(lost) => {
                cluster.stale = true;
                cluster.backoff.ended(None);
                cluster.not_before = now + cluster.backoff.wait();
                return self.lender.observer.away(&format!("the cluster: {lost}"));
            }
        };
        cluster.backoff = Backoff::between(LAYOUT.0, LAYOUT.1);
        cluster.not_before = now + LAYOUT.0;
        let mut before = std::mem::take(&mut self.lanes);
        let mut gained = Vec::new();
        for (endpoint, tags) in found {
            let place = Place::At(endpoint);
            match before.iter().position(|lane| lane.place == place) {
                Some(index) => {
                    let mut lane = before.swap_remove(index);
                    if tags.iter().any(|tag| !lane.tags.contains(tag)) {
                        lane.suspect();
                        gained.push(lane.ticket);
                    }
                    lane.tags = tags;
                    self.lanes.push(lane);
                }
                None => self.lanes.push(Lane::new(place, tags, now)),
            }
        }
        self.assign();
        // Keys that have moved may have been lost on the way.
        gained.into_iter().for_each(|ticket| self.report(ticket, now));
    }

    pub(super) fn assign(&mut self) {
        self.holders = [None; TAGS];
        for (index, lane) in self.lanes.iter().enumerate() {
            lane.tags.iter().for_each(|tag| self.holders[tag.index()] = Some(index));
        }
    }
}
