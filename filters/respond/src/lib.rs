//! The `respond` filter: answers in the upstream's place, always the same.
//!
//! It judges nothing: whoever reaches it gets the answer. It therefore stands behind whoever says who is calling.

mod config;
mod filter;

pub use config::Config;
pub use filter::Respond;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Respond>(
    include_str!("../README.md"),
    &[("empty.yaml", include_str!("../cases/empty.yaml")), ("document.yaml", include_str!("../cases/document.yaml"))],
);
