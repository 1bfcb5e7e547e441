//! Many blocks, so that a request finds the one that covers it.

use std::{collections::HashMap, net::IpAddr};

use tollgate_filter_api::Problem;

use super::{Block, Caller};
use crate::network::Network;

/// Blocks by what they name: a request looks most of them up, and looks at networks and at those that name several things. Each has its
/// place in what was written.
#[derive(Debug, Default)]
pub struct List {
    apis: HashMap<Box<[u8]>, usize>,
    applications: HashMap<Box<[u8]>, usize>,
    users: HashMap<Box<[u8]>, usize>,
    addresses: HashMap<IpAddr, usize>,
    others: Vec<(usize, Read)>,
    is_empty: bool,
}

/// A block, read.
#[derive(Debug, Default)]
struct Read {
    api: Option<Box<[u8]>>,
    application: Option<Box<[u8]>>,
    user: Option<Box<[u8]>>,
    client: Vec<Network>,
}

impl List {
    /// Those that are written.
    ///
    /// # Errors
    /// The first that cannot be read, at a pointer below `place`.
    pub fn new(written: &[Block], place: &str) -> Result<Self, Problem> {
        let mut list = Self { is_empty: written.is_empty(), ..Self::default() };
        for (at, block) in written.iter().enumerate() {
            list.add(at, Read::new(block, &format!("{place}/{at}"))?);
        }
        Ok(list)
    }

    fn add(&mut self, at: usize, block: Read) {
        let (map, name) = match block {
            Read { api: Some(path), application: None, user: None, client } if client.is_empty() => (&mut self.apis, path),
            Read { api: None, application: Some(id), user: None, client } if client.is_empty() => (&mut self.applications, id),
            Read { api: None, application: None, user: Some(user), client } if client.is_empty() => (&mut self.users, user),
            Read { api: None, application: None, user: None, client } => {
                self.addresses.extend(client.iter().filter_map(|network| Some((network.single()?, at))));
                let client: Vec<Network> = client.into_iter().filter(|network| network.single().is_none()).collect();
                if !client.is_empty() {
                    self.others.push((at, Read { client, ..Read::default() }));
                }
                return;
            }
            several => return self.others.push((at, several)),
        };
        map.insert(name, at);
    }

    /// The place of a block that covers a request.
    pub fn find(&self, caller: &impl Caller) -> Option<usize> {
        if self.is_empty {
            return None;
        }
        let user = || caller.users().find_map(|user| self.users.get(user));
        let application = || caller.applications().find_map(|id| self.applications.get(&*id));
        let address = || self.addresses.get(&caller.address().to_canonical());
        let found = self.apis.get(caller.api()).or_else(user).or_else(application).or_else(address).copied();
        found.or_else(|| self.others.iter().find(|(_, block)| block.covers(caller)).map(|(at, _)| *at))
    }
}

impl Read {
    fn new(written: &Block, place: &str) -> Result<Self, Problem> {
        let Block { api, application, user, client } = written;
        if api.is_none() && application.is_none() && user.is_none() && client.is_empty() {
            return Err(Problem::setting(place, "a block has at least one of `api`, `application`, `user` and `client`"));
        }
        if api.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Err(Problem::setting(format!("{place}/api"), "expected a base path, which begins with `/`"));
        }
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().into());
        let networks = client.iter().enumerate().map(|(nth, one)| Network::new(one, &format!("{place}/client/{nth}")));
        let api = api.as_ref().map(|path| path.trim_end_matches('/').as_bytes().into());
        Ok(Self { api, application: bytes(application), user: bytes(user), client: networks.collect::<Result<_, _>>()? })
    }

    /// Whether all that it names is the request's.
    fn covers(&self, caller: &impl Caller) -> bool {
        self.api.as_deref().is_none_or(|path| path == caller.api())
            && self.user.as_deref().is_none_or(|user| caller.users().any(|one| one == user))
            && self.application.as_deref().is_none_or(|id| caller.applications().any(|one| *one == *id))
            && (self.client.is_empty() || self.client.iter().any(|network| network.contains(caller.address())))
    }
}
