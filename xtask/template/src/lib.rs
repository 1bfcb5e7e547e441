//! Refuses requests that do not carry a certain header.
//!
//! What it does not protect against: a client that sends the header.

mod config;
mod filter;

pub use config::Config;
pub use filter::__Name__;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<__Name__>(
    include_str!("../README.md"),
    &[
        ("pass.yaml", include_str!("../cases/pass.yaml")),
        ("refused.yaml", include_str!("../cases/refused.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
