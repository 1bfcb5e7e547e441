//! Whether a caller whose identity is proven may do what it asks for: scopes, subscription, kind of key.
//!
//! What it does not protect against: a caller who is not who the credential filters say; what a caller does to objects that
//! belong to another one.

mod config;
mod filter;
mod reasons;
mod subscription;

pub use config::{Config, KeyKind, Scopes, Subscriptions};
pub use filter::Authorize;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Authorize>(
    include_str!("../README.md"),
    &[
        ("pass.yaml", include_str!("../cases/pass.yaml")),
        ("any.yaml", include_str!("../cases/any.yaml")),
        ("refused.yaml", include_str!("../cases/refused.yaml")),
        ("unnamable.yaml", include_str!("../cases/unnamable.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
