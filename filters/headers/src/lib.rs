//! Sets, adds, removes and renames headers, with values from what is known of a request.
//!
//! What comes from a credential is written so that it stays one value of one header. What it does not protect against:
//! an operator who hands a caller's own words to an upstream that trusts them.

mod config;
mod filter;

pub use config::Config;
pub use filter::{Headers, State};
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Headers>(
    include_str!("../README.md"),
    &[
        ("certificate.yaml", include_str!("../cases/certificate.yaml")),
        ("facts.yaml", include_str!("../cases/facts.yaml")),
        ("changes.yaml", include_str!("../cases/changes.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
