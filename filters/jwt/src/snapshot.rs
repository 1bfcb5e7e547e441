//! The keys of one issuer at one moment.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tollgate_filter_api::Moment;
use tollgate_jose::{Jws, Key};

/// Names of removed keys that are remembered: as many as a set may have.
const REMOVED: usize = 64;

/// The keys at one moment.
pub(crate) struct Snapshot {
    /// Versions of the sources it was made from.
    pub seen: Box<[u64]>,
    /// The keys of all sources.
    pub keys: Vec<Arc<Key>>,
    /// Names of keys that their source has removed, the last ones.
    pub removed: Arc<[String]>,
    /// Counts up when keys change; what was verified with an earlier one is verified again.
    pub generation: u64,
    /// Whether every source had keys that are young enough.
    pub complete: bool,
    /// Until when it may be used without asking the sources for their age.
    pub until: Instant,
}

/// A key of the issuer made the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    /// Until when the key can be used, when its source says so.
    pub until: Option<SystemTime>,
    /// See [`Snapshot::generation`].
    pub generation: u64,
}

/// No key of the issuer is known to have made the signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum NotProved {
    /// None of those that may be meant did.
    Wrong,
    /// None is there that may be meant.
    UnknownKey,
    /// The keys are not at hand, and why.
    Undecided(String),
}

impl Snapshot {
    /// No keys, made from nothing.
    pub(crate) fn nothing(now: Instant) -> Self {
        Self { seen: Box::default(), keys: Vec::new(), removed: Arc::default(), generation: 0, complete: false, until: now }
    }

    /// Keys that may be meant: those of that name and those without one; all, when the token names none.
    fn candidates<'a>(&'a self, jws: &'a Jws<'_>, now: Moment) -> impl Iterator<Item = &'a Arc<Key>> {
        self.keys.iter().filter(move |key| {
            let named = jws.kid.is_none() || key.kid.is_none() || key.kid == jws.kid;
            named && key.fits(jws.algorithm, now.wall)
        })
    }

    pub(crate) fn prove(&self, jws: &Jws<'_>, now: Moment) -> Option<Proof> {
        let key = self.candidates(jws, now).find(|key| key.verify(jws.algorithm, jws.input, &jws.signature))?;
        Some(Proof { until: key.validity.map(|(_, end)| end), generation: self.generation })
    }

    /// Whether a key of that name is there, so that asking again would bring nothing.
    pub(crate) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)))
    }

    /// Whether a key is there that may be the one of that name.
    pub(crate) fn may_know(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.keys.iter().any(|key| key.kid.as_deref().is_none_or(|name| Some(name) == kid))
    }

    /// Whether its source took a key of that name back: then it is no new one that the source has not told of yet.
    pub(crate) fn has_removed(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.removed.iter().any(|name| name == kid))
    }

    /// What is removed when these keys take the place of its own.
    pub(crate) fn removed_by(&self, keys: &[Arc<Key>]) -> Arc<[String]> {
        let is_there = |name: &String| keys.iter().any(|key| key.kid.as_ref() == Some(name));
        let mut names: Vec<String> = Vec::new();
        for name in self.keys.iter().filter_map(|key| key.kid.as_ref()).chain(self.removed.iter()) {
            if names.len() < REMOVED && !is_there(name) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names.into()
    }

    /// Why none of the keys proves anything.
    pub(crate) fn not_proved(&self, jws: &Jws<'_>, now: Moment) -> NotProved {
        if self.candidates(jws, now).next().is_some() { NotProved::Wrong } else { NotProved::UnknownKey }
    }
}
