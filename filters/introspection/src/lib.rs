//! The `introspection` filter: an opaque token in a header makes the caller known, because its issuer says so (RFC 7662).
//!
//! It vouches for what the issuer answered within the last `cache.ttl`. It does not protect a token that was stolen, unless
//! it is bound to a certificate or a key.

mod answer;
mod asker;
mod config;
mod credential;
mod filter;
mod issuer;
mod own_token;
mod reasons;

pub use config::Config;
pub use filter::Introspection;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Introspection>(
    include_str!("../README.md"),
    &[
        ("tokens.yaml", include_str!("../cases/tokens.yaml")),
        ("dpop.yaml", include_str!("../cases/dpop.yaml")),
        ("nonce.yaml", include_str!("../cases/nonce.yaml")),
    ],
);
