//! Fields of requests that only the gateway, a filter or a trusted proxy may write: which they are, and what becomes of a client's.
//!
//! The names themselves are in [`crate::fields`]. The rules for a head as a whole are in [`admit`](super::admit).

pub mod families;
pub mod forwarding;
pub mod request_id;
pub mod reserved;
pub mod via;
