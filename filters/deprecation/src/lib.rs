//! Tells clients when an operation was deprecated and when it ends (RFC 9745, RFC 8594).
//!
//! What it does not protect against: clients that read no fields. The operation is served as before, after its end as well.

mod config;
mod filter;

pub use config::Config;
pub use filter::Deprecation;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Deprecation>(
    include_str!("../README.md"),
    &[("dates.yaml", include_str!("../cases/dates.yaml")), ("upstream.yaml", include_str!("../cases/upstream.yaml"))],
);
