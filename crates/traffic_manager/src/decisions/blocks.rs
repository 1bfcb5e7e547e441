//! Who is blocked: APIs, applications, users and addresses.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;

use crate::{
    bounds::{MOST_ADDRESSES, MOST_ENTRIES, MOST_RANGES},
    decisions::conditions::{Addresses, number},
    json::Bad,
    keys::{Caller, Place},
    shards::Shards,
    told::{Said, Told},
};

/// In how many turns the whole of it is looked through.
const TURNS: usize = 16;

/// By what a request is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// The base path of the API.
    Api,
    /// `<owner>:<name>` of the application.
    Application,
    /// The subject of the credential.
    User,
    /// The client's address.
    Address,
}

impl BlockKind {
    /// What a name of this kind begins with in the map.
    fn prefix(self) -> &'static str {
        match self {
            Self::Api => "A:",
            Self::Application => "P:",
            Self::User => "U:",
            Self::Address => "I:",
        }
    }
}

/// Addresses of callers of a tenant's APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockedAddresses {
    pub tenant: Box<str>,
    pub addresses: Addresses,
}

/// All blocks.
#[derive(Default)]
pub(crate) struct Blocks {
    names: Shards<Told>,
    by_id: Mutex<HashMap<i64, (Told, Option<BlockedAddresses>)>>,
    addresses: ArcSwap<Lookup>,
    turn: std::sync::atomic::AtomicUsize,
}

/// Blocked addresses as requests look them up.
#[derive(Debug, Default)]
struct Lookup {
    single: HashMap<u128, Vec<Box<str>>>,
    ranges: Vec<BlockedAddresses>,
}

impl Blocks {
    /// By what a request is blocked, if it is.
    pub(crate) fn find(&self, place: &Place, caller: &Caller<'_>) -> Option<BlockKind> {
        if self.names.len() > 0 {
            let mut name = String::with_capacity(64);
            let mut is_blocked = |kind: BlockKind, parts: &[&str]| {
                name.clear();
                name.push_str(kind.prefix());
                parts.iter().for_each(|part| name.push_str(part));
                self.names.find(&name, |told| told.is_there.then_some(kind))
            };
            let found = is_blocked(BlockKind::Api, &[&place.context])
                .or_else(|| is_blocked(BlockKind::Application, &[&caller.owner, ":", &caller.application_name]))
                .or_else(|| is_blocked(BlockKind::User, &[&caller.user]));
            if found.is_some() {
                return found;
            }
        }
        self.addresses.load().cover(&place.tenant, caller.client).then_some(BlockKind::Address)
    }

    /// How many there are, and how many are remembered as gone.
    pub(crate) fn len(&self) -> usize {
        self.names.len() + self.by_id.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A name is blocked, or no more.
    pub(crate) fn told(&self, kind: BlockKind, name: &str, is_there: bool, said: Said) -> Result<(), Bad> {
        let is_full = self.names.len() >= MOST_ENTRIES;
        let mut kept = Ok(());
        self.names.change(&format!("{}{name}", kind.prefix()), |old| match old.copied() {
            Some(old) if !old.is_overruled(is_there, said) => Some(old),
            None if is_full => {
                kept = Err(Bad("a block for which there is no room"));
                None
            }
            _ => Some(Told { is_there, said }),
        });
        kept
    }

    /// Addresses are blocked; without them, those of that number no more.
    pub(crate) fn told_addresses(&self, id: i64, addresses: Option<BlockedAddresses>, said: Said) -> Result<(), Bad> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = addresses.is_some();
        match by_id.get(&id) {
            Some((old, _)) if !old.is_overruled(is_there, said) => return Ok(()),
            None if by_id.len() >= MOST_ADDRESSES => return Err(Bad("a block for which there is no room")),
            _ => {}
        }
        let before = by_id.insert(id, (Told { is_there, said }, addresses));
        let Some(lookup) = Lookup::new(&by_id) else {
            match before {
                Some(before) => drop(by_id.insert(id, before)),
                None => drop(by_id.remove(&id)),
            }
            return Err(Bad("a blocked range for which there is no room"));
        };
        self.addresses.store(Arc::new(lookup));
        Ok(())
    }

    /// All of them, as they were when they were asked for. What was heard since is newer. Returns how many had no room.
    pub(crate) fn listed(&self, names: &[(BlockKind, String)], addresses: Vec<(i64, BlockedAddresses)>, asked: u64) -> usize {
        let said = Said { published: None, heard: asked };
        let kept: HashSet<String> = names.iter().map(|(kind, name)| format!("{}{name}", kind.prefix())).collect();
        // First, so that what is gone makes room for what has come.
        (0..TURNS).for_each(|turn| self.names.sweep(turn, TURNS, |name, told| !told.is_older_than(asked) || kept.contains(name)));
        let mut dropped = 0;
        for (kind, name) in names {
            let is_newer = self.names.find(&format!("{}{name}", kind.prefix()), |told| (!told.is_older_than(asked)).then_some(()));
            if is_newer.is_none() {
                dropped += usize::from(self.told(*kind, name, true, said).is_err());
            }
        }
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.retain(|_, (told, _)| !told.is_older_than(asked));
        let mut ranges = by_id.values().filter(|(_, one)| one.as_ref().is_some_and(BlockedAddresses::is_range)).count();
        for (id, one) in addresses {
            let has_room = by_id.len() < MOST_ADDRESSES && (!one.is_range() || ranges < MOST_RANGES);
            if by_id.contains_key(&id) {
                continue;
            } else if !has_room {
                dropped += 1;
                continue;
            }
            ranges += usize::from(one.is_range());
            by_id.insert(id, (Told { is_there: true, said }, Some(one)));
        }
        if let Some(lookup) = Lookup::new(&by_id) {
            self.addresses.store(Arc::new(lookup));
        }
        dropped
    }

    /// Forgets what was taken back long ago.
    pub(crate) fn tick(&self, now: u64) {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.names.sweep(turn % TURNS, TURNS, |_, told| !told.is_over(now));
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (told, _)| !told.is_over(now));
    }
}

impl BlockedAddresses {
    /// Whether every request has to look at it.
    fn is_range(&self) -> bool {
        self.addresses.invert || self.addresses.first != self.addresses.last
    }
}

impl Lookup {
    /// `None` when there are too many ranges.
    fn new(by_id: &HashMap<i64, (Told, Option<BlockedAddresses>)>) -> Option<Self> {
        let mut lookup = Self::default();
        for one in by_id.values().filter_map(|(_, addresses)| addresses.as_ref()) {
            if one.is_range() {
                lookup.ranges.push(one.clone());
            } else {
                lookup.single.entry(one.addresses.first).or_default().push(one.tenant.clone());
            }
        }
        Some(lookup).filter(|lookup| lookup.ranges.len() <= MOST_RANGES)
    }

    fn cover(&self, tenant: &str, client: IpAddr) -> bool {
        let is_single = || self.single.get(&number(client)).is_some_and(|tenants| tenants.iter().any(|one| **one == *tenant));
        (!self.single.is_empty() && is_single()) || self.ranges.iter().any(|one| *one.tenant == *tenant && one.addresses.cover(client))
    }
}

#[cfg(test)]
#[path = "../tests/blocks.rs"]
mod tests;
