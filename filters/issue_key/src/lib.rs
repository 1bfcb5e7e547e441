//! The `issue_key` filter: an endpoint where a caller who is known gets a signed API key, as the reference product's `/apikey`.
//!
//! It issues to whoever the filters before it vouch for, over TLS, and to nobody else. It keeps no account of what it issued: a key can only
//! be revoked, by its `jti`, until it ends.

mod config;
mod filter;
mod reasons;

pub use config::Config;
pub use filter::IssueKey;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<IssueKey>(include_str!("../README.md"), &[("issued.yaml", include_str!("../cases/issued.yaml"))]);
