//! Hosts and base paths: which APIs may be meant by a request, the most certain ones first.

use std::collections::{BTreeMap, HashMap};

use super::{
    host, template,
    tree::{first_segment, tally},
};

/// Which spaces a host has.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<Box<str>, usize>,
    /// By what stands behind `*.`.
    below: HashMap<Box<str>, usize>,
    /// For every host.
    any: Option<usize>,
}

/// Base paths of one host.
#[derive(Debug)]
pub(super) struct Space(Vec<Base>);

/// A node in the tree of base paths.
#[derive(Debug, Default)]
struct Base {
    children: BTreeMap<Box<str>, usize>,
    api: Option<u32>,
}

impl Hosts {
    /// The spaces of a host: its own, those of the names that it is below, the longest first, and the one for every host.
    pub fn spaces(&self, host: &str) -> impl Iterator<Item = usize> {
        let named = !(self.exact.is_empty() && self.below.is_empty());
        let name = if named { host::name(host) } else { "" };
        let exact = self.exact.get(name).copied();
        let suffixes = name.match_indices('.').map(move |(at, _)| &name[at + 1..]).take(if self.below.is_empty() { 0 } else { usize::MAX });
        exact.into_iter().chain(suffixes.filter_map(|suffix| self.below.get(suffix).copied())).chain(self.any)
    }

    /// The space of a host as it is written, which is made if there is none.
    ///
    /// # Errors
    /// What is no host.
    pub fn of(&mut self, written: Option<&str>, spaces: &mut Vec<Space>) -> Result<usize, String> {
        let next = spaces.len();
        let Some(written) = written else {
            let any = *self.any.get_or_insert(next);
            return Ok(Space::at(any, spaces));
        };
        let (table, bare) = match written.strip_prefix("*.") {
            Some(bare) => (&mut self.below, bare),
            None => (&mut self.exact, written),
        };
        let read = host::normalize(bare.as_bytes()).ok().filter(|read| read.port.is_none() && read.name == bare);
        let name = read
            .ok_or_else(|| format!("`{written}` is not a host in lower case without a port, such as `shop.example` or `*.shop.example`"))?;
        let space = *table.entry(name.name.as_ref().into()).or_insert(next);
        Ok(Space::at(space, spaces))
    }
}

impl Space {
    fn at(index: usize, spaces: &mut Vec<Self>) -> usize {
        if index == spaces.len() {
            spaces.push(Self(vec![Base::default()]));
        }
        index
    }

    /// The API with the longest base path, and the bytes of the path that are it.
    pub fn find(&self, path: &str) -> Option<(u32, usize)> {
        let mut node = &self.0[0];
        let mut found = node.api.map(|api| (api, 0));
        let mut end = 0;
        let mut rest = path.strip_prefix('/');
        while let Some(path) = rest {
            let (segment, tail) = first_segment(path);
            rest = tail;
            let Some(&child) = node.children.get(segment) else { break };
            tally();
            node = &self.0[child];
            end += 1 + segment.len();
            found = node.api.map(|api| (api, end)).or(found);
        }
        found
    }

    /// # Errors
    /// When the path can be no base path. The API that already has it is in the inner result.
    pub fn add(&mut self, path: &str, api: u32) -> Result<Result<(), u32>, String> {
        let mut at = 0;
        for segment in path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()) {
            let next = self.0.len();
            let child = *self.0[at].children.entry(template::literal(segment)?).or_insert(next);
            if child == next {
                self.0.push(Base::default());
            }
            at = child;
        }
        Ok(self.0[at].api.replace(api).map_or(Ok(()), Err))
    }
}
