//! What a token is bound to (`cnf`, RFC 7800), and whether the request that brings it has that: a client certificate (RFC 8705),
//! or a key that the client proves at each request (DPoP, RFC 9449).
//!
//! Shared by the filters that judge access tokens; each answers with reasons of its own. Does not know where a token is in a
//! request, nor who vouches for it.

mod challenge;
mod config;
mod confirmation;
mod names;
mod nonce;
mod proof;
mod replay;
mod target;
mod unfit;

pub use challenge::Challenge;
pub use config::{DpopConfig, NonceConfig, SenderConstrained};
pub use confirmation::{Bringer, Confirmation};
pub use names::Names;
pub use proof::Dpop;
pub use unfit::{Failure, Unfit, Why};

/// The scheme of tokens that come with a proof.
pub const SCHEME: &str = "DPoP";
