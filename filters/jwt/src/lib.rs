//! The `jwt` filter: a signed token (RFC 7519) in a header makes the caller known.
//!
//! It vouches for what the issuer signed and for the time at which it is used. It does not know whether a token was revoked
//! or stolen: bearer tokens are good for whoever holds them.

mod cache;
mod claims;
mod config;
mod credential;
mod discovery;
mod filter;
mod keyset;
mod kinds;
mod reasons;
mod setup;
mod snapshot;
mod source;
#[cfg(test)]
mod tests;
mod verifier;

use tollgate_filter_api::Kind;

pub use config::Config;
pub use filter::Jwt;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Jwt>(
    include_str!("../README.md"),
    &[
        ("accepted.yaml", include_str!("../cases/accepted.yaml")),
        ("bound.yaml", include_str!("../cases/bound.yaml")),
        ("dpop.yaml", include_str!("../cases/dpop.yaml")),
        ("nonce.yaml", include_str!("../cases/nonce.yaml")),
        ("refused.yaml", include_str!("../cases/refused.yaml")),
    ],
);
