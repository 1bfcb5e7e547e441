//! All that the traffic manager said, and what it means for a request.

pub(crate) mod blocks;
pub(crate) mod conditions;
pub(crate) mod templates;
pub(crate) mod throttled;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::{
    decisions::{
        blocks::{BlockKind, Blocks},
        conditions::Facts,
        templates::Templates,
        throttled::Throttled,
    },
    json::Bad,
    keys::{Caller, Place},
    lists::Blocked,
    news::{Kind, News},
    told::Said,
};

/// Room for a key, so that few have to grow.
const ROOM: usize = 128;

/// What is throttled, blocked, and counted by custom policies. Times are in milliseconds since 1970.
#[derive(Default)]
pub struct Decisions {
    throttled: Throttled,
    templates: Templates,
    blocks: Blocks,
    dropped: AtomicU64,
}

/// At which level a request is over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The API.
    Api,
    /// The operation.
    Resource,
    /// The application's subscription to the API, or the address of a caller without a credential.
    Subscription,
    /// The application.
    Application,
    /// A custom policy.
    Custom,
}

/// A decision that a request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// At which level.
    pub level: Level,
    /// When it ends.
    pub until: u64,
}

impl Decisions {
    /// The decision against a request: of several, that of the first level in their order.
    pub fn refuse(&self, place: &Place, caller: &Caller<'_>, facts: &impl Facts, now: u64) -> Option<Refusal> {
        if self.throttled.len() == 0 {
            return None;
        }
        for (level, key) in [(Level::Api, &place.api_key), (Level::Resource, &place.resource_key)] {
            if let Some(until) = self.throttled.refuses(key, now, caller.client, facts) {
                return Some(Refusal { level, until });
            }
        }
        let mut key = String::with_capacity(ROOM);
        let mut refuses = |level, write: &dyn Fn(&mut String)| {
            key.clear();
            write(&mut key);
            Some(Refusal { level, until: self.throttled.until(&key, now)? })
        };
        refuses(Level::Subscription, &|key| caller.subscription_key(place, key))
            .or_else(|| refuses(Level::Application, &|key| caller.application_key(key)))
            .or_else(|| self.templates.used().iter().find_map(|one| refuses(Level::Custom, &|key| one.key(place, caller, key))))
    }

    /// By what a request is blocked, if it is.
    pub fn block(&self, place: &Place, caller: &Caller<'_>) -> Option<BlockKind> {
        self.blocks.find(place, caller)
    }

    /// Takes a message, or counts that it was dropped.
    ///
    /// # Errors
    /// Why it was dropped.
    pub fn hear(&self, news: Result<News, Bad>, said: Said) -> Result<(), Bad> {
        news.and_then(|News(kind)| self.take(kind, said)).inspect_err(|_| self.drop_some(1))
    }

    fn take(&self, kind: Kind, said: Said) -> Result<(), Bad> {
        match kind {
            Kind::Throttled { key, until, .. } if until < said.heard => self.throttled.remove(&key, said.heard),
            Kind::Throttled { key, until, groups } => return self.throttled.set(&key, until, groups, said.heard),
            Kind::Released(key) => self.throttled.remove(&key, said.heard),
            Kind::Template { template, is_there } => return self.templates.told(&template, is_there, said),
            Kind::Block { kind, name, is_there } => return self.blocks.told(kind, &name, is_there, said),
            Kind::Addresses { id, addresses } => return self.blocks.told_addresses(id, addresses, said),
        }
        Ok(())
    }

    /// Takes the place of the templates that were known when this list was asked for.
    pub fn list_templates(&self, (list, bad): &(Vec<String>, usize), asked: u64) {
        self.drop_some(bad + self.templates.listed(list, asked));
    }

    /// Takes the place of the blocks that were known when this list was asked for.
    pub fn list_blocks(&self, list: Blocked, asked: u64) {
        self.drop_some(list.bad + self.blocks.listed(&list.names, list.addresses, asked));
    }

    /// Lets go of what has passed, a part of it at a time. Once a second is enough.
    pub fn tick(&self, now: u64) {
        self.throttled.tick(now);
        self.templates.tick(now);
        self.blocks.tick(now);
    }

    /// Keys with decisions.
    pub fn throttled(&self) -> usize {
        self.throttled.len()
    }

    /// Blocks that are kept.
    pub fn blocked(&self) -> usize {
        self.blocks.len()
    }

    /// Key templates in use.
    pub fn templates(&self) -> usize {
        self.templates.used().len()
    }

    /// What could not be taken: messages, and entries of lists.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Counts what could not be taken.
    pub fn drop_some(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "../tests/decisions.rs"]
mod tests;
