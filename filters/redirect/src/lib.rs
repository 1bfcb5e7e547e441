//! The `redirect` filter: sends clients to another URL, or to the same one over TLS.
//!
//! What stands behind the scheme of a `Location` is what an operator wrote, or a host that he listed: no client chooses where others go.

mod config;
mod filter;
mod hosts;
mod location;

pub use config::{Config, Hsts};
pub use filter::Redirect;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Redirect>(
    include_str!("../README.md"),
    &[
        ("https.yaml", include_str!("../cases/https.yaml")),
        ("to.yaml", include_str!("../cases/to.yaml")),
        ("host.yaml", include_str!("../cases/host.yaml")),
        ("hsts.yaml", include_str!("../cases/hsts.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
