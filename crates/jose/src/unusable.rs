//! Why a key of a set is left out.

use std::fmt;

/// Why a key cannot verify signatures here. Names members, and repeats no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unusable {
    /// Another kind of JSON value, or a name twice.
    #[error("it is not one strict JSON object")]
    NotAnObject,
    /// A member that its kind of key must have.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member of a wrong type or form, or one that makes no key together with the others.
    #[error("`{0}` is not what RFC 7518 asks for")]
    Malformed(&'static str),
    /// `use` or `key_ops` names other purposes (RFC 7517 §4.2 and §4.3).
    #[error("`{0}` does not allow it to verify signatures")]
    Purpose(&'static str),
    /// A member of a private or symmetric key: whoever reads the set can sign with it.
    #[error("`{0}` is a part of a private key, and it was published")]
    Private(&'static str),
    /// `alg` is not accepted here, or belongs to another kind of key.
    #[error("`alg` is not an accepted algorithm of this kind of key")]
    Algorithm,
    /// A `kty`, a curve or a kind of key that is not known here.
    #[error("keys of its kind are not accepted")]
    Kind,
    /// Anybody, or anybody with some money, can sign with it.
    #[error("it is too weak, or so long that one check takes too much time")]
    Strength,
}

impl Unusable {
    /// One word, as the label of a series.
    pub fn kind(self) -> &'static str {
        match self {
            Self::NotAnObject | Self::Missing(_) | Self::Malformed(_) => "malformed",
            Self::Purpose(_) => "purpose",
            Self::Private(_) => "private",
            Self::Algorithm => "algorithm",
            Self::Kind => "kind",
            Self::Strength => "strength",
        }
    }
}

/// Longest part of a `kid` that is repeated.
const LONGEST: usize = 64;

/// A key that was left out of its set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dropped {
    /// Its place in the set, from 1.
    pub number: usize,
    /// The beginning of its name, if it has one.
    pub kid: Option<String>,
    /// Why.
    pub why: Unusable,
}

impl Dropped {
    pub(crate) fn new(index: usize, kid: Option<&str>, why: Unusable) -> Self {
        Self { number: index + 1, kid: kid.map(|kid| kid.chars().take(LONGEST).collect()), why }
    }
}

impl Dropped {
    /// Whether it is the same key for the same reason, wherever it stands in the set; without a name its place is all there is.
    pub fn is_same(&self, other: &Self) -> bool {
        self.why == other.why && self.kid == other.kid && (self.kid.is_some() || self.number == other.number)
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "key {} (kid {kid:?}): {}", self.number, self.why),
            None => write!(f, "key {}: {}", self.number, self.why),
        }
    }
}
