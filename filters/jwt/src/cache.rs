//! Tokens that were verified, by the whole token.
//!
//! What is found must still be judged by its times and the generation of its keys. Refused tokens are not remembered: there
//! is no end to them, and each costs at most one signature check.

use std::{
    borrow::Borrow,
    hash::{Hash, Hasher},
    time::Instant,
};

use ref_cast::RefCast;
use tollgate_binding::Confirmation;
use tollgate_filter_api::Principal;
use tollgate_recent::Recent;

use crate::{claims::Window, snapshot::Proof};

/// Verified tokens.
pub(crate) type Cache = Recent<Kept, Entry>;

/// How much of a token is hashed: 270 instructions, where all of a token of 900 bytes takes 2,430. It ends in its signature, so the last of
/// it differs between good tokens; they are compared whole, and one that is forged over the end of a good one is not kept.
const TAIL: usize = 32;

/// A token that is looked for.
#[derive(RefCast, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Wanted([u8]);

impl Hash for Wanted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0[self.0.len().saturating_sub(TAIL)..].hash(state);
    }
}

/// A token that is kept.
#[derive(PartialEq, Eq)]
pub(crate) struct Kept(pub Box<[u8]>);

impl Borrow<Wanted> for Kept {
    fn borrow(&self) -> &Wanted {
        Wanted::ref_cast(&self.0)
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<Wanted>::borrow(self).hash(state);
    }
}

/// What is remembered of a token.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Who it speaks of.
    pub principal: Principal,
    /// What its sender must have.
    pub confirmation: Confirmation,
    /// When it may be used, by the wall clock.
    pub window: Window,
    /// End of the window as it was seen when the token was verified. A clock that is stepped back prolongs nothing that is remembered.
    pub until: Instant,
    /// Place of its issuer in the verifier's list.
    pub issuer: usize,
    /// What the keys said of its signature.
    pub proof: Proof,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_end_alike_are_told_apart() {
        let cache: Recent<Kept, u8> = Recent::new(10);
        let (one, other) = (format!("a{}", "x".repeat(100)), format!("b{}", "x".repeat(100)));
        cache.put(Kept(one.as_bytes().into()), 1);
        assert_eq!(cache.get(Wanted::ref_cast(one.as_bytes())), Some(1));
        assert_eq!(cache.get(Wanted::ref_cast(other.as_bytes())), None);
        cache.put(Kept((*b"short").into()), 2);
        assert_eq!(cache.get(Wanted::ref_cast(&b"short"[..])), Some(2));
    }
}
