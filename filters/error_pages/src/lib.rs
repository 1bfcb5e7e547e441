//! The `error_pages` filter: bodies for refusals, by status and by what the client accepts.
//!
//! It changes what a refusal looks like, never whether there is one, nor its status.

mod accept;
mod config;
mod filter;
mod pages;
mod text;

pub use config::{Body, Config};
pub use filter::{ErrorPages, State};
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<ErrorPages>(
    include_str!("../README.md"),
    &[
        ("own.yaml", include_str!("../cases/own.yaml")),
        ("accept.yaml", include_str!("../cases/accept.yaml")),
        ("upstream.yaml", include_str!("../cases/upstream.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
