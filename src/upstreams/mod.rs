//! Endpoint groups to targets: what the Plan says, what the environment changes about it, and whose turn it is.
//!
//! Everything is resolved and checked at load: addresses, names to verify, certificates, credentials. A request picks by
//! index and copies pointers. The only state is whose turn it is and who could not be reached lately; both die with the snapshot.
//!
//! This protects against a missing, empty or unreadable trust store, a key that is not the certificate's, an encrypted
//! upstream without a name to verify, and connections that are shared between identities ([`Target::group_key`]). It does
//! not probe health, and it does not know whether an address is the right one.

mod addresses;
mod build;
mod credentials;
mod group;
mod path;
mod settings;
mod target;
mod timeouts;
mod trust;
mod unreachable;
mod url;

use std::sync::Arc;

pub use addresses::{Addresses, LookUp, Resolver, Snapshot};
pub use build::Inputs;
pub use group::{Choice, Group, Order};
pub use path::outgoing;
pub use target::Target;
pub use timeouts::Timeouts;
use tollgate_filter_api::Problems;
pub use trust::{Identity, Trust};

/// The endpoint groups of one Plan, under the indexes the Plan gives them.
#[derive(Debug)]
pub struct Upstreams {
    groups: Vec<Arc<Group>>,
}

impl Upstreams {
    /// Resolves every group of the Plan in an environment.
    ///
    /// # Errors
    /// All problems at once: overrides that meet no group, bad URLs, trust stores that do not load, keys that do not match,
    /// encrypted upstreams without a name, credentials without a password.
    pub fn build(inputs: &Inputs<'_>) -> Result<Self, Problems> {
        build::groups(inputs).map(|groups| Self { groups })
    }

    /// The group of that index.
    ///
    /// # Panics
    /// When the index is not one of the Plan's; the Plan is checked when it is loaded.
    pub fn group(&self, index: u32) -> &Arc<Group> {
        &self.groups[index as usize]
    }

    /// Every group, in the order of the Plan.
    pub fn groups(&self) -> &[Arc<Group>] {
        &self.groups
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
