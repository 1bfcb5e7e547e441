//! Groups whose endpoints are looked up while they serve.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    config::Source,
    proxy::transport::upstream_peer::UpstreamPeer,
    stores::discovery::{Consumer, Directory, Entry, Found, Key},
    upstreams::{Group, Part, Supply, Target, Upstreams},
};

/// A group, what its endpoints consist of, and what it had.
pub struct Discovered {
    group: Arc<Group<UpstreamPeer>>,
    parts: Vec<Part>,
    sources: Vec<Source>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    supplied: Option<(Vec<Target>, &'static str)>,
    /// By key, what it said when it last said what the group can use.
    good: HashMap<Key, Arc<[Entry]>>,
    /// By key, what the group cannot use, and was told.
    unfit: HashMap<Key, Arc<[Entry]>>,
}

impl Discovered {
    /// The groups that look something up.
    pub fn all(upstreams: &Upstreams<UpstreamPeer>) -> Vec<Arc<Self>> {
        let groups = upstreams.groups().iter().zip(upstreams.parts());
        let discovered = groups.map(|(group, parts)| {
            let sources: Vec<_> = parts.iter().filter_map(|part| part.source.clone()).collect();
            Self { group: group.clone(), parts: parts.clone(), sources, last: Mutex::default() }
        });
        discovered.filter(|discovered| !discovered.sources.is_empty()).map(Arc::new).collect()
    }

    /// Whether it is about that group.
    pub fn is_of(&self, group: &Arc<Group<UpstreamPeer>>) -> bool {
        Arc::ptr_eq(&self.group, group)
    }

    /// Who says what endpoints there are now, in a word.
    pub fn by(&self) -> Option<&'static str> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).supplied.as_ref().map(|(_, by)| *by)
    }

    /// The endpoints of now, and who says so, in a word.
    fn compose(&self, directory: &Directory, last: &mut Last) -> (Vec<Target>, &'static str) {
        let (mut targets, mut by) = (Vec::new(), None);
        let (mut good, mut unfit) = (HashMap::new(), HashMap::new());
        for part in &self.parts {
            match part.source.as_ref().and_then(|source| directory.find(source)) {
                None => targets.extend(part.default.iter().cloned()),
                Some(all) => {
                    for found in all {
                        by.get_or_insert(found.by.as_str());
                        let usable = self.usable(&found, last, &mut unfit);
                        targets.extend(usable.iter().flat_map(|entries| entries.iter().map(target)));
                        good.extend(usable.map(|entries| (found.key, entries)));
                    }
                }
            }
        }
        (last.good, last.unfit) = (good, unfit);
        (targets, by.unwrap_or_else(|| self.parts.first().map_or("definition", |part| part.by)))
    }

    /// What a key says, or last said, that the group can use.
    fn usable(&self, found: &Found, last: &Last, unfit: &mut HashMap<Key, Arc<[Entry]>>) -> Option<Arc<[Entry]>> {
        let is = |known: &Arc<[Entry]>| Arc::ptr_eq(known, &found.entries);
        let good = last.good.get(&found.key);
        if good.is_some_and(is) {
            return good.cloned();
        }
        if !last.unfit.get(&found.key).is_some_and(is) {
            let Some(problem) = found.entries.iter().find_map(|entry| self.group.refuses(&entry.url)) else {
                return Some(found.entries.clone());
            };
            log::error!("{}: {problem}; the last good value stays", found.key);
        }
        unfit.insert(found.key.clone(), found.entries.clone());
        good.cloned()
    }
}

fn target(Entry { url, weight, zone, priority }: &Entry) -> Target {
    Target { url: url.clone(), weight: *weight, zone: zone.clone(), priority: *priority }
}

impl Consumer for Discovered {
    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn supply(&self, directory: &Directory) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.compose(directory, &mut last);
        if last.supplied.as_ref() == Some(&next) {
            return false;
        }
        let news = last.supplied.as_ref().map(|(targets, _)| targets) != Some(&next.0);
        let supplied = self.group.supply(Supply { by: next.1, targets: &next.0 });
        last.supplied = Some(next);
        supplied.is_ok() && news
    }
}
