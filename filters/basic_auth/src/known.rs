//! What comparisons came to a moment ago.

use std::time::{Duration, Instant};

use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    pkey::{PKey, Private},
    rand::rand_bytes,
    sign::Signer,
};
use tollgate_recent::Recent;

/// Name and password, under a key that nobody knows: who reads memory cannot try passwords against it.
type Digest = [u8; 32];

/// How long a wrong password is remembered: it may be right after the next reload only, but room is short.
const WRONG: Duration = Duration::from_secs(60);

/// Right and wrong ones, apart, so that a flood of the one does not drive out the other.
pub(crate) struct Known {
    key: PKey<Private>,
    right: Recent<Digest, Instant>,
    wrong: Recent<Digest, Instant>,
    ttl: Duration,
}

impl Known {
    pub(crate) fn new(entries: usize, ttl: Duration) -> Result<Self, ErrorStack> {
        let mut key = [0; 32];
        rand_bytes(&mut key)?;
        Ok(Self { key: PKey::hmac(&key)?, right: Recent::new(entries), wrong: Recent::new(entries), ttl })
    }

    /// The name under which a credential is remembered as long as that version of the users is in force.
    pub(crate) fn digest(&self, version: u64, credential: &[u8]) -> Result<Digest, ErrorStack> {
        let mut digest = [0; 32];
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
        signer.update(&version.to_be_bytes())?;
        signer.update(credential)?;
        signer.sign(&mut digest)?;
        Ok(digest)
    }

    /// What it came to, when that was a moment ago.
    pub(crate) fn find(&self, digest: &Digest, now: Instant) -> Option<bool> {
        let good = |until: &Instant| (*until > now).then_some(());
        if self.right.find(digest, good).is_some() {
            return Some(true);
        }
        self.wrong.find(digest, good).map(|()| false)
    }

    pub(crate) fn remember(&self, digest: Digest, right: bool, now: Instant) {
        if right {
            self.right.put(digest, now + self.ttl);
        } else {
            self.wrong.put(digest, now + self.ttl.min(WRONG));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_make_the_names_under_which_credentials_are_remembered() {
        let digest = || Known::new(1, WRONG).unwrap().digest(0, b"alice:password").unwrap();
        assert_ne!(digest(), digest());
    }
}
