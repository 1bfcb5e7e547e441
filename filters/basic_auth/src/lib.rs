//! The `basic_auth` filter: a user name and a password in a header make the caller known (RFC 7617).
//!
//! Passwords are stored as hashes, compared in constant time away from the threads that serve requests, and remembered for a while
//! so that a slow hash is paid once. It does not protect a password that is read on the way (offer it over TLS only), that can be
//! guessed, or that is used elsewhere too; who guesses is slowed down by the hash, and by nothing else here.

mod config;
mod credential;
mod filter;
mod known;
mod reasons;
mod users;

pub use config::Config;
pub use filter::BasicAuth;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<BasicAuth>(
    include_str!("../README.md"),
    &[("users.yaml", include_str!("../cases/users.yaml")), ("htpasswd.yaml", include_str!("../cases/htpasswd.yaml"))],
);
