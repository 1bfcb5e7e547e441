//! Why a token and the request that brings it do not fit.

use std::borrow::Cow;

use tollgate_filter_api::Fault;

/// What is wrong; a filter has a reason for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// `cnf` has not the form of one.
    Malformed,
    /// The request has not what the token is bound to.
    Binding,
    /// The token is bound to nothing, and must be.
    NotBound,
    /// The proof is not good.
    Proof,
    /// The proof lacks the gateway's nonce.
    Nonce,
    /// The proof was used before.
    Replay,
}

/// A refusal in the making.
#[derive(Debug)]
pub struct Unfit {
    /// What is wrong.
    pub why: Why,
    /// For the operator's log; never a part of what was sent.
    pub note: Option<Cow<'static, str>>,
}

/// Why it is not known that a request has what its token is bound to.
#[derive(Debug)]
pub enum Failure {
    /// It has not.
    Refused(Unfit),
    /// It cannot be told.
    Undecided(Fault),
}

impl Why {
    /// A refusal that needs no note.
    pub(crate) fn alone(self) -> Unfit {
        Unfit { why: self, note: None }
    }

    /// A refusal with a note for the log.
    pub(crate) fn because(self, note: impl Into<Cow<'static, str>>) -> Unfit {
        Unfit { why: self, note: Some(note.into()) }
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Self::Refused(unfit)
    }
}
