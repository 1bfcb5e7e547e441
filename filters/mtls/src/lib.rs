//! The `mtls` filter: a client certificate makes the caller known.
//!
//! It reads what the listener found out and checks no signature itself: which authorities count, what is revoked, and which balancers
//! may forward a client's certificate are the listener's settings. It reads no header, and does not protect a key that was stolen.

mod allowed;
mod config;
mod filter;
mod names;
mod pinned;
mod principal;
mod reasons;

pub use config::Config;
pub use filter::Mtls;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Mtls>(
    include_str!("../README.md"),
    &[("identity.yaml", include_str!("../cases/identity.yaml")), ("allowed.yaml", include_str!("../cases/allowed.yaml"))],
);
