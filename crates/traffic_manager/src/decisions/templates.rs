//! Custom policies: key templates, of which each request makes the key by which such a policy counts it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};

use crate::{
    bounds::MOST_TEMPLATES,
    json::Bad,
    keys::{Caller, Place},
    told::{Said, Told},
};

/// What a template may name, and how it is written. Of two names that begin alike, the longer comes first.
const NAMES: [(&str, Part); 8] = [
    ("$resourceKey", Part::ResourceKey),
    ("$apiContext", Part::Context),
    ("$apiVersion", Part::Version),
    ("$apiTenant", Part::ApiTenant),
    ("$appTenant", Part::AppTenant),
    ("$clientIp", Part::Client),
    ("$userId", Part::User),
    ("$appId", Part::Application),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    ResourceKey,
    Context,
    Version,
    ApiTenant,
    AppTenant,
    Client,
    User,
    Application,
}

/// A template, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template(Box<[Part]>);

impl Template {
    fn new(written: &str) -> Self {
        let (mut parts, mut text, mut rest) = (Vec::new(), String::new(), written);
        while let Some(first) = rest.chars().next() {
            if let Some((name, part)) = NAMES.iter().find(|(name, _)| rest.starts_with(name)) {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text).into()));
                }
                parts.push(part.clone());
                rest = &rest[name.len()..];
            } else {
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        Self(parts.into())
    }

    /// Writes the key of a request.
    pub(crate) fn key(&self, place: &Place, caller: &Caller<'_>, to: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => to.push_str(text),
                Part::ResourceKey => to.push_str(place.counted_by()),
                Part::Context => to.push_str(&place.context),
                Part::Version => to.push_str(&place.version),
                Part::ApiTenant => to.push_str(&place.tenant),
                Part::AppTenant => to.push_str(&caller.application_tenant),
                Part::User => to.push_str(&caller.user),
                Part::Application => to.push_str(&caller.application),
                Part::Client => {
                    // Writing to a String cannot fail.
                    let _ = std::fmt::Write::write_fmt(to, format_args!("{}", caller.client.to_canonical()));
                }
            }
        }
    }
}

/// All templates.
#[derive(Default)]
pub(crate) struct Templates {
    known: Mutex<HashMap<Box<str>, Told>>,
    used: ArcSwap<Vec<Template>>,
}

impl Templates {
    /// Those that are there.
    pub(crate) fn used(&self) -> Guard<Arc<Vec<Template>>> {
        self.used.load()
    }

    /// One was added, or taken away.
    pub(crate) fn told(&self, template: &str, is_there: bool, said: Said) -> Result<(), Bad> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let old = known.get(template).copied();
        if old.is_some_and(|old| !old.is_overruled(is_there, said)) {
            return Ok(());
        }
        if old.is_none() && known.len() >= MOST_TEMPLATES {
            return Err(Bad("a key template for which there is no room"));
        }
        known.insert(template.into(), Told { is_there, said });
        if old.is_some_and(|old| old.is_there) != is_there {
            self.publish(&known);
        }
        Ok(())
    }

    /// All of them, as they were when they were asked for. What was heard since is newer. Returns how many had no room.
    pub(crate) fn listed(&self, list: &[String], asked: u64) -> usize {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, told| !told.is_older_than(asked));
        let said = Said { published: None, heard: asked };
        let mut dropped = 0;
        for template in list {
            match known.len() < MOST_TEMPLATES || known.contains_key(template.as_str()) {
                true => drop(known.entry(template.as_str().into()).or_insert(Told { is_there: true, said })),
                false => dropped += 1,
            }
        }
        self.publish(&known);
        dropped
    }

    /// Forgets what was taken away long ago.
    pub(crate) fn tick(&self, now: u64) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, told| !told.is_over(now));
    }

    fn publish(&self, known: &HashMap<Box<str>, Told>) {
        let used = known.iter().filter(|(_, told)| told.is_there).map(|(template, _)| Template::new(template));
        self.used.store(Arc::new(used.collect()));
    }
}

#[cfg(test)]
#[path = "../tests/templates.rs"]
mod tests;
