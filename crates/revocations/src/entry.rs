//! Digests, and the 24 bytes that one of them takes.

use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip128::{Hasher128, SipHasher13};

/// Who says that something was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Input {
    /// The operator's port.
    Admin = 0,
    /// A message broker.
    Broker = 1,
    /// etcd.
    Etcd = 2,
}

impl Input {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Broker, Self::Etcd];

    /// Label of the series, and name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Broker => "broker",
            Self::Etcd => "etcd",
        }
    }
}

/// By what something is revoked. The values are bits of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The token of that `jti`.
    TokenId = 1,
    /// The token of that signature, or the opaque token itself.
    Signature = 2,
    /// Tokens of a client application.
    Client = 4,
    /// Tokens of a subject.
    Subject = 8,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TokenId, Self::Signature, Self::Client, Self::Subject];

    /// Separates names that mean different things. `jti` and signature share a domain, because the reference's messages do not
    /// say which of the two they mean; the entry's bits tell them apart.
    fn domain(self) -> u8 {
        match self {
            Self::TokenId | Self::Signature => 1,
            Self::Client => 2,
            Self::Subject => 3,
        }
    }
}

/// Key of the digests. Whoever does not know it can neither make two names meet nor recognise a name by its digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub(crate) [u8; 16]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(***)")
    }
}

impl Seed {
    /// A new one, from the system's randomness.
    pub fn random() -> Self {
        let state = RandomState::new();
        let halves = [state.hash_one(0_u8), state.hash_one(1_u8)].map(u64::to_le_bytes);
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&halves[0]);
        seed[8..].copy_from_slice(&halves[1]);
        Self(seed)
    }

    /// SipHash-1-3 with 128 bits, of which 120 are kept: about 25 ns, a tenth of SHA-256. A keyed hash is enough, because who
    /// finds two names that meet could only have himself refused.
    pub(crate) fn digest(self, kind: Kind, name: &str) -> Digest {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write_u8(kind.domain());
        hasher.write(name.as_bytes());
        let hash = hasher.finish128();
        Digest { high: hash.h1, low: hash.h2 & !LABELS }
    }
}

/// Bits of the lower half that hold kinds and input instead of digest.
const LABELS: u64 = 0xff;
const KINDS: u64 = 0x0f;
const INPUT_SHIFT: u32 = 4;

/// A name under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Digest {
    pub high: u64,
    pub low: u64,
}

/// One thing that one input revoked. Ordered by digest, then by input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Entry {
    high: u64,
    /// Digest, input and kinds.
    low: u64,
    /// Second since 1970 from which it no longer counts; `u32::MAX` for never.
    pub expires: u32,
    /// For clients and subjects: tokens issued before this second; [`ALWAYS`] for all of them.
    pub before: u32,
}

/// Never ends.
pub(crate) const NEVER: u32 = u32::MAX;

/// Whenever issued.
pub(crate) const ALWAYS: u32 = u32::MAX;

impl Entry {
    pub fn new(digest: Digest, kinds: u8, input: Input, expires: u32, before: u32) -> Self {
        let low = digest.low | (input as u64) << INPUT_SHIFT | u64::from(kinds) & KINDS;
        Self { high: digest.high, low, expires, before }
    }

    /// What may stand once in a list: digest and input.
    pub fn identity(&self) -> (u64, u64) {
        (self.high, self.low & !KINDS)
    }

    pub fn digest(&self) -> Digest {
        Digest { high: self.high, low: self.low & !LABELS }
    }

    pub fn kinds(&self) -> u8 {
        (self.low & KINDS) as u8
    }

    pub fn input(&self) -> u8 {
        (self.low >> INPUT_SHIFT & 3) as u8
    }

    /// Both halves, labels included, as the journal writes them.
    pub fn halves(&self) -> (u64, u64) {
        (self.high, self.low)
    }

    /// What the journal wrote; `None` for bits that mean nothing.
    pub fn from_halves(high: u64, low: u64, expires: u32, before: u32) -> Option<Self> {
        let entry = Self { high, low, expires, before };
        (entry.kinds() != 0 && low & LABELS & !KINDS & !(3 << INPUT_SHIFT) == 0).then_some(entry)
    }

    pub fn with_input(self, input: Input) -> Self {
        Self { low: self.low & !(3 << INPUT_SHIFT) | (input as u64) << INPUT_SHIFT, ..self }
    }

    /// Both said by one input: the later end and the later time count, nothing that was said is weakened.
    pub fn and(self, other: Self) -> Self {
        Self { low: self.low | other.low & KINDS, expires: self.expires.max(other.expires), before: self.before.max(other.before), ..self }
    }

    /// Without these kinds; `None` when nothing is left.
    pub fn without(self, kinds: u8) -> Option<Self> {
        let rest = Self { low: self.low & !(u64::from(kinds) & KINDS), ..self };
        (rest.kinds() != 0).then_some(rest)
    }

    pub fn is_over(&self, now: u32) -> bool {
        self.expires <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_24_bytes() {
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[test]
    fn names_of_different_domains_do_not_meet() {
        let seed = Seed::random();
        let all = [Kind::TokenId, Kind::Client, Kind::Subject].map(|kind| seed.digest(kind, "x"));
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
        assert_eq!(seed.digest(Kind::TokenId, "x"), seed.digest(Kind::Signature, "x"));
    }

    #[test]
    fn another_seed_gives_another_digest() {
        assert_ne!(Seed::random().digest(Kind::TokenId, "x"), Seed::random().digest(Kind::TokenId, "x"));
        assert_eq!(format!("{:?}", Seed::random()), "Seed(***)");
    }

    #[test]
    fn every_byte_of_a_seed_is_random() {
        let seeds: Vec<[u8; 16]> = (0..8).map(|_| Seed::random().0).collect();
        assert!((0..16).all(|at| seeds.iter().any(|seed| seed[at] != seeds[0][at])), "{seeds:?}");
    }

    #[test]
    fn of_two_statements_the_later_end_and_the_later_time_count() {
        let digest = Seed::random().digest(Kind::Client, "x");
        let (one, other) = (Entry::new(digest, 1, Input::Admin, 5, 9), Entry::new(digest, 2, Input::Admin, 7, 8));
        for both in [one.and(other), other.and(one)] {
            assert_eq!((both.kinds(), both.expires, both.before), (3, 7, 9));
        }
    }

    #[test]
    fn labels_are_read_back() {
        let digest = Seed::random().digest(Kind::Client, "x");
        for input in Input::ALL {
            let entry = Entry::new(digest, 0b0101, input, 7, 9);
            assert_eq!((entry.digest(), entry.kinds(), entry.input()), (digest, 0b0101, input as u8));
            let (high, low) = entry.halves();
            assert_eq!(Entry::from_halves(high, low, 7, 9), Some(entry));
            assert_eq!(entry.without(0b0001).map(|rest| rest.kinds()), Some(0b0100));
            assert_eq!(entry.without(0b0111), None);
            assert_eq!((Entry::from_halves(high, low & !KINDS, 7, 9), Entry::from_halves(high, low | 0x40, 7, 9)), (None, None));
        }
    }
}
