//! The `api_key` filter: a key in a header, the query or a cookie makes the caller known.
//!
//! Two kinds: opaque keys, of which only a SHA-256 digest is stored, and signed ones as the reference product issues them, JWTs that name
//! the APIs they are for. It does not protect a key that was read on the way, or in a log on the client's side, which is where keys in
//! a query end up.

mod config;
mod filter;
mod place;
mod reasons;
mod signed;
mod stored;

pub use config::Config;
pub use filter::ApiKey;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<ApiKey>(
    include_str!("../README.md"),
    &[
        ("header.yaml", include_str!("../cases/header.yaml")),
        ("query.yaml", include_str!("../cases/query.yaml")),
        ("cookie.yaml", include_str!("../cases/cookie.yaml")),
    ],
);
