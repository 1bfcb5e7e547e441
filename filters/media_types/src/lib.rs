//! Compares the media types of requests with those that the definition declares.
//!
//! What it does not protect against: a body that is not what its `Content-Type` says, and an answer that is not what was declared.

mod config;
mod filter;
mod media;

pub use config::Config;
pub use filter::MediaTypes;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<MediaTypes>(
    include_str!("../README.md"),
    &[
        ("accept.yaml", include_str!("../cases/accept.yaml")),
        ("content_type.yaml", include_str!("../cases/content_type.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
