//! The `cookie` filter: a page keeps no token; its browser keeps a sealed session that only this gateway can open.
//!
//! It turns a session into the bearer token that was put into it, for the filters behind it to judge, and refuses what a page of
//! another origin may have caused. It verifies no token and knows no list of sessions. It does not protect against a script that
//! runs in the page itself: that cannot read the token, but can use it.

mod config;
mod crumbs;
mod filter;
mod issue;
mod origin;
mod reasons;
mod session;
#[cfg(test)]
mod tests;

pub use config::{Config, SameSite};
pub use filter::Cookie;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Cookie>(
    include_str!("../README.md"),
    &[("session.yaml", include_str!("../cases/session.yaml")), ("login.yaml", include_str!("../cases/login.yaml"))],
);
