//! Tokens that were verified, by the whole token.
//!
//! What is found must still be judged by its times and the generation of its keys. Refused tokens are not remembered: there
//! is no end to them, and each costs at most one signature check.

use tollgate_filter_api::Principal;
use tollgate_recent::Recent;

use crate::{binding::Confirmation, claims::Window};

/// Verified tokens.
pub(crate) type Cache = Recent<Box<str>, Entry>;

/// What is remembered of a token.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Who it speaks of.
    pub principal: Principal,
    /// What its sender must have.
    pub confirmation: Confirmation,
    /// When it may be used.
    pub window: Window,
    /// Place of its issuer in the verifier's list.
    pub issuer: usize,
    /// Generation of the keys it was verified with.
    pub generation: u64,
}
