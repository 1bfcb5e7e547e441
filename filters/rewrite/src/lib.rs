//! The `rewrite` filter: path and query on the way to the upstream, and what answers say of them on the way back.
//!
//! The gateway judges each target that comes of it as it judges those of clients. What it does not protect against: a path that means something
//! else upstream than the one that was checked.

mod config;
mod cookies;
mod filter;
mod links;
mod paths;
mod rule;
mod target;

pub use config::{Back, Config, Domain, Prefix, Rule};
pub use filter::Rewrite;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Rewrite>(
    include_str!("../README.md"),
    &[
        ("prefix.yaml", include_str!("../cases/prefix.yaml")),
        ("path.yaml", include_str!("../cases/path.yaml")),
        ("regex.yaml", include_str!("../cases/regex.yaml")),
        ("back.yaml", include_str!("../cases/back.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
