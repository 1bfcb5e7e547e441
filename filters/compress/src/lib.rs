//! Compresses answers on their way to clients that accept it (RFC 9110 §8.4, §12.5.3): gzip, Brotli, Zstandard.
//!
//! What it does not protect against: the length of a compressed answer tells what is in it. An answer that has a secret and repeats what the
//! request says must not be compressed (BREACH); the filter leaves out what looks like one, and cannot know the rest.

mod accept;
mod coder;
mod config;
mod filter;

pub use config::Config;
pub use filter::{Compress, State};
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Compress>(
    include_str!("../README.md"),
    &[("codings.yaml", include_str!("../cases/codings.yaml")), ("left_alone.yaml", include_str!("../cases/left_alone.yaml"))],
);
