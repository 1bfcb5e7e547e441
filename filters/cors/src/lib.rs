//! Cross-origin resource sharing as the Fetch standard defines it: preflights are answered, answers are marked.
//!
//! What it does not do: it stops no request. CORS tells a browser which pages may read an answer; everybody else
//! ignores it.

mod config;
mod filter;
mod origin;

pub use config::Config;
pub use filter::{Cors, State};
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Cors>(
    include_str!("../README.md"),
    &[
        ("listed.yaml", include_str!("../cases/listed.yaml")),
        ("wildcard.yaml", include_str!("../cases/wildcard.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
