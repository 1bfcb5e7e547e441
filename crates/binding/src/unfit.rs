//! Why a token and the request that brings it do not fit.

use std::{borrow::Cow, sync::Arc};

use tollgate_filter_api::{Cause, CauseKind, Fault, Rule};

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
    /// For the operator; shows nothing of the token or the proof that is secret.
    pub cause: Arc<Cause>,
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
    /// A refusal that needs no words of its own.
    pub(crate) fn alone(self) -> Unfit {
        self.unfit(self.cause())
    }

    /// A refusal, and what exactly is wrong.
    pub(crate) fn because(self, detail: impl Into<Cow<'static, str>>) -> Unfit {
        self.unfit(self.cause().detail(detail))
    }

    /// A refusal with a cause of its own.
    pub(crate) fn unfit(self, cause: Cause) -> Unfit {
        Unfit { why: self, cause: cause.into() }
    }

    fn cause(self) -> Cause {
        let (kind, about, rule) = match self {
            Self::Malformed => (CauseKind::Malformed, "claim `cnf`", Rule::Fixed("RFC 7800 §3.1")),
            Self::Binding => (CauseKind::Unbound, "token", Rule::Fixed("RFC 8705 §3, RFC 9449 §7.1")),
            Self::NotBound => (CauseKind::Unbound, "token without `cnf`", Rule::setting("/sender_constrained")),
            Self::Proof => (CauseKind::Unverified, "DPoP proof", Rule::Fixed("RFC 9449 §4.3")),
            Self::Nonce => (CauseKind::Unverified, "`nonce` of the DPoP proof", Rule::setting("/dpop/nonce")),
            Self::Replay => (CauseKind::Replayed, "DPoP proof", Rule::Fixed("RFC 9449 §11.1")),
        };
        Cause::new(kind, about, rule)
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        Self::Refused(unfit)
    }
}
