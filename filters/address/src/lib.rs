//! The `address` filter: who may call, by the network that the call comes from.
//!
//! The address is the one that the gateway has worked out, behind trusted proxies. It says where a call comes from, not who calls.

mod config;
mod filter;
mod network;
mod table;

pub use config::Config;
pub use filter::Address;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Address>(
    include_str!("../README.md"),
    &[
        ("allow.yaml", include_str!("../cases/allow.yaml")),
        ("deny.yaml", include_str!("../cases/deny.yaml")),
        ("hostile.yaml", include_str!("../cases/hostile.yaml")),
    ],
);
