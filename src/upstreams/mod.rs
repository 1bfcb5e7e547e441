//! Endpoint groups: what the Plan says, what the environment changes about it, which endpoints a group has now, and whose turn it is.
//!
//! A group's settings are checked once, at load: names to verify, certificates, credentials. Its endpoints may change while requests
//! run. They are an immutable [`EndpointSet`] behind one pointer: whoever supplies endpoints gives [`Target`]s to [`Group::supply`], which makes
//! the next set beside the current one; a request takes the current set once, with [`Group::select`], and keeps it. What an endpoint
//! does is told by [`EndpointSet::report`], by requests and by whoever checks endpoints. What connecting takes is made by the caller's
//! [`Factory`], once for each endpoint, and lives as long as the endpoint does.
//!
//! This protects against a missing, empty or unreadable trust store, a key that is not the certificate's, an encrypted
//! upstream without a name to verify, and connections that are shared between identities ([`Upstream::group_key`]). It does
//! not probe health, and it does not know whether an address is the right one. What it knows of endpoints dies at a reload.

mod addresses;
mod affinity;
mod balance;
mod endpoint;
mod group;
mod guards;
mod health;
mod path;
mod policy;
mod selection;
mod set;
mod settings;
mod siblings;
mod target;
mod upstream;
mod view;

use std::sync::Arc;

pub use addresses::{Addresses, LookUp, Resolver, Snapshot};
pub use affinity::Asking;
pub use balance::Choice;
pub use endpoint::Endpoint;
pub use group::{Change, Factory, Group, Supply};
pub use guards::METRICS;
pub use path::outgoing;
pub use policy::{Policy, Strategy};
pub use selection::{Nowhere, Selection};
pub use set::{EndpointSet, Report};
pub use settings::{
    build::Inputs,
    parts::Part,
    timeouts::Timeouts,
    trust::{Identity, UpstreamTrust},
};
pub use siblings::{Copy, Mirror};
pub use target::{MOST_WEIGHT, Target};
use tollgate_filter_api::Problems;
pub use upstream::Upstream;
pub use view::{EndpointView, GroupView};

/// The endpoint groups of one Plan, under the indexes the Plan gives them.
#[derive(Debug)]
pub struct Upstreams<C> {
    groups: Vec<Arc<Group<C>>>,
    parts: Vec<Vec<Part>>,
}

impl<C> Upstreams<C> {
    /// Resolves every group of the Plan in an environment.
    ///
    /// # Errors
    /// All problems at once: overrides that meet no group, bad URLs, trust stores that do not load, keys that do not match,
    /// encrypted upstreams without a name, credentials without a password.
    pub fn build(inputs: &Inputs<'_>, factory: &Arc<Factory<C>>) -> Result<Self, Problems> {
        let (groups, parts) = settings::build::groups(inputs, factory)?.into_iter().unzip();
        Ok(Self { groups, parts })
    }

    /// The group of that index.
    ///
    /// # Panics
    /// When the index is not one of the Plan's; the Plan is checked when it is loaded.
    pub fn group(&self, index: u32) -> &Arc<Group<C>> {
        &self.groups[index as usize]
    }

    /// What the endpoints of each group consist of, in the order of the groups.
    pub fn parts(&self) -> &[Vec<Part>] {
        &self.parts
    }

    /// Every group, and after each its canary and its mirror.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Group<C>>> {
        self.groups.iter().flat_map(|group| std::iter::once(group).chain(group.siblings()))
    }

    /// Every group, in the order of the Plan.
    pub fn groups(&self) -> &[Arc<Group<C>>] {
        &self.groups
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
