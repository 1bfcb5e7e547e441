//! What is to be looked up, and for whom.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, sync::Arc};

use tollgate_etcd::Keys;

use super::{Consumer, lookup::Lookup};
use crate::config::{DiscoveryStore, DnsName, Place};

/// What is asked for, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) store: DiscoveryStore,
    pub(super) keys: BTreeSet<Keys>,
}

/// What is to be looked up, for whom.
#[derive(Clone, Default)]
pub(super) struct Work {
    pub(super) etcd: Option<Arc<Asked>>,
    pub(super) names: BTreeSet<Arc<DnsName>>,
    pub(super) servers: Vec<SocketAddr>,
    pub(super) file: Option<PathBuf>,
    pub(super) consumers: Arc<[Arc<dyn Consumer>]>,
}

impl Work {
    pub(super) fn of(consumers: &[Arc<dyn Consumer>], lookup: &Lookup) -> Self {
        let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
        for source in consumers.iter().flat_map(|consumer| consumer.sources()) {
            match &source.place {
                Place::Key(key) => drop(keys.insert(Keys::One(key.clone()))),
                Place::Prefix(prefix) => drop(keys.insert(Keys::Prefix(prefix.clone()))),
                Place::Name(name) => drop(names.insert(Arc::new(name.clone()))),
            }
        }
        tell(lookup, keys.len());
        let store = lookup.etcd.clone().filter(|_| !keys.is_empty());
        let etcd = store.map(|store| Arc::new(Asked { store, keys }));
        Self { etcd, names, servers: lookup.servers.clone(), file: lookup.file.clone(), consumers: consumers.into() }
    }

    /// Whether there is something to do.
    pub(super) fn is_some(&self) -> bool {
        self.etcd.is_some() || !self.names.is_empty()
    }

    /// Whether others look up all of this already.
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        let of_etcd = match (&self.etcd, &other.etcd) {
            (None, _) => true,
            (Some(own), Some(other)) => own.store == other.store && own.keys.is_subset(&other.keys),
            (Some(_), None) => false,
        };
        of_etcd && self.names.is_subset(&other.names) && (self.names.is_empty() || self.servers == other.servers)
    }

    /// This, beside what others look up, and for them.
    pub(super) fn beside(&self, others: &Self) -> Self {
        let etcd = match (&self.etcd, &others.etcd) {
            (Some(own), Some(others)) => {
                Some(Arc::new(Asked { store: own.store.clone(), keys: own.keys.union(&others.keys).cloned().collect() }))
            }
            (own, others) => own.clone().or_else(|| others.clone()),
        };
        let names = self.names.union(&others.names).cloned().collect();
        Self { etcd, names, consumers: others.consumers.clone(), ..self.clone() }
    }
}

/// Says what of it nobody will notice.
fn tell(lookup: &Lookup, keys: usize) {
    match &lookup.etcd {
        None if keys > 0 => {
            log::info!("definitions name {keys} keys of etcd, and there is no `stores.discovery`: their own URLs serve");
        }
        Some(_) if keys == 0 => {
            log::warn!("`stores.discovery` names an etcd, and nothing is looked up there: no definition and no group names a key");
        }
        _ => {}
    }
}
