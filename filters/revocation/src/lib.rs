//! Refuses what was revoked: a token by its `jti` or its signature, all of a client's, a subject's from before a time.
//!
//! What it does not protect against: whoever uses a token between its theft and its revocation.

mod config;
mod filter;

pub use config::{Config, Stale};
pub use filter::Revocation;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Revocation>(
    include_str!("../README.md"),
    &[
        ("closed.yaml", include_str!("../cases/closed.yaml")),
        ("open.yaml", include_str!("../cases/open.yaml")),
        ("starting.yaml", include_str!("../cases/starting.yaml")),
    ],
);
