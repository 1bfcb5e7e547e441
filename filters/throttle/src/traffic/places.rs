//! Operations in the traffic manager's words, made once for each.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use tollgate_filter_api::OperationInfo;
use tollgate_traffic_manager::Place;

use crate::{
    config::{Declaration, Level},
    limits::tiers::UNLIMITED,
};

/// By the operation's address; the operation is kept, so that no other one can have its.
type Known = HashMap<usize, (Arc<OperationInfo>, Arc<Place>)>;

/// Operations with the same settings share a filter, so it keeps a place for each that has had a request.
pub(super) struct Places {
    tier: Option<(Level, Box<str>)>,
    known: ArcSwap<Known>,
}

impl Places {
    pub(super) fn new(declared: &Declaration) -> Self {
        let tier = declared.policy.as_deref().filter(|name| *name != UNLIMITED);
        Self { tier: tier.map(|name| (declared.level, name.into())), known: ArcSwap::default() }
    }

    /// That of an operation.
    pub(super) fn of(&self, operation: &Arc<OperationInfo>) -> Arc<Place> {
        let address = Arc::as_ptr(operation) as usize;
        if let Some((_, place)) = self.known.load().get(&address) {
            return place.clone();
        }
        let place = Arc::new(self.make(operation));
        self.known.rcu(|known| {
            let mut known = Known::clone(known);
            known.insert(address, (operation.clone(), place.clone()));
            known
        });
        place
    }

    fn make(&self, operation: &OperationInfo) -> Place {
        let OperationInfo { api, version, base_path, template, method, .. } = operation;
        let place = Place::new(api, base_path, version, template, method);
        match &self.tier {
            Some((Level::Api, tier)) => place.api_tier(tier),
            Some((Level::Resource, tier)) => place.resource_tier(tier),
            None => place,
        }
    }
}
