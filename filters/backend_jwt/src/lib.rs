//! The `backend_jwt` filter: tells the upstream who is calling, in a token that this gateway signs.
//!
//! Says only what earlier filters verified. It does not keep an upstream from believing somebody else's word: the upstream must
//! check signature, audience and time.

mod cache;
mod claims;
mod config;
mod filter;

pub use config::Config;
pub use filter::BackendJwt;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<BackendJwt>(include_str!("../README.md"), &[("pass.yaml", include_str!("../cases/pass.yaml"))]);
